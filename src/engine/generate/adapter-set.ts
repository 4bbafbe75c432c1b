import { badAdapter, checkAdapter, type LoraAdapter } from "../model/lora.ts";
import type { ModelConfig } from "../model/model-config.ts";
import type { Feeds, tensorMaker } from "../runtime/session.ts";
import { type Branch, branchesOf, type LoadedAdapter, loadedAdapter, type Pieces } from "./loaded-adapter.ts";
import { branchInputs, LORA_GROUP, LORA_SCALE, scalesName } from "./lora-branch.ts";

type OrtTensor = Feeds[string];
type MakeTensor = Awaited<ReturnType<typeof tensorMaker>>;

/** Some of the ranks of all adapters together. */
interface Ranks {
  first: number;
  end: number;
}

/**
 * The adapters beside one model: their matrices one after another, so that rows of different adapters run together and
 * each takes only its own ranks. Larger ranks come first, each filled up to a power of two: then none stands across the
 * places where a long sum is cut (every 128 numbers), and what a row gets does not depend on what else is there.
 */
export class AdapterSet {
  readonly #config: ModelConfig;
  readonly #tensor: MakeTensor;
  readonly #branches: readonly Branch[];
  #loaded: LoadedAdapter[] = [];
  readonly #nothing: Feeds;
  #stacks: readonly Pieces[] = [];
  /** What runs over these ranks were given before. */
  #known = new Map<string, Feeds>();

  constructor(config: ModelConfig, tensor: MakeTensor) {
    this.#config = config;
    this.#tensor = tensor;
    this.#branches = branchesOf(config);
    this.#nothing = feedsOf(this.#branches, ({ into, out }) => ({
      down: tensor(new Float32Array(into), [1, into, 1]),
      up: tensor(new Float32Array(out), [1, out]),
    }));
  }

  /** Copies an adapter in. Errors: `bad_adapter` with the tensor that does not fit. */
  add(adapter: LoraAdapter, where: string): LoadedAdapter {
    checkAdapter(adapter, this.#config, where);
    for (const [name, { data }] of adapter.tensors) {
      // Times zero it would still reach the rows that do not use it.
      if (!data.every(Number.isFinite)) throw badAdapter(where, `tensor ${name} holds numbers that are not finite`);
    }
    const loaded = loadedAdapter(this.#branches, adapter, this.#config);
    this.#change([...this.#loaded, loaded].sort((a, b) => b.rank - a.rank));
    return loaded;
  }

  remove(adapter: LoadedAdapter): void {
    this.#change(this.#loaded.filter((other) => other !== adapter));
  }

  /** What a run over rows of `width` tokens with these adapters is given. */
  feeds(rows: readonly (LoadedAdapter | undefined)[], width: number): Feeds {
    // One that was removed meanwhile belongs to a request that nobody waits for.
    const used = this.#loaded.filter((adapter) => rows.includes(adapter));
    const [least, most] = [used[0], used.at(-1)];
    if (least === undefined || most === undefined) return this.#without(rows.length * width);
    const ranks = { first: least.offset, end: most.offset + most.rank };
    const feeds = { ...this.#matrices(ranks) };
    for (const parts of QKV_AND_OTHERS) feeds[scalesName(parts)] = this.#scales(rows, { width, parts, ...ranks });
    return feeds;
  }

  /** For rows of the base alone: one rank that counts for nothing, since onnxruntime makes no product over none. */
  #without(tokens: number): Feeds {
    const feeds: Feeds = { ...this.#nothing };
    for (const parts of QKV_AND_OTHERS) feeds[scalesName(parts)] = this.#tensor(new Float32Array(tokens), [tokens, 1]);
    return feeds;
  }

  /** What each rank counts for each token [rows * width, ranks]: 0 where it is not of the row's adapter. */
  #scales(
    rows: readonly (LoadedAdapter | undefined)[],
    { width, parts, first, end }: Ranks & { width: number; parts: number },
  ) {
    const size = parts * (end - first);
    const data = new Float32Array(rows.length * width * size);
    rows.forEach((adapter, row) => {
      if (adapter === undefined || !this.#loaded.includes(adapter)) return;
      for (let token = row * width; token < (row + 1) * width; token += 1) {
        const start = token * size + parts * (adapter.offset - first);
        data.fill(LORA_SCALE * adapter.scale, start, start + parts * adapter.rank);
      }
    });
    return this.#tensor(data, [rows.length * width, size]);
  }

  /** The matrices of these ranks in every branch, without copying. */
  #matrices({ first, end }: Ranks): Feeds {
    const key = `${first} ${end}`;
    const known = this.#known.get(key);
    if (known) return known;
    const feeds = feedsOf(this.#branches, ({ modules, into, out }, at) => {
      const { down, up } = this.#stacks[at] ?? NO_PIECES;
      const [from, to] = [modules.length * first, modules.length * end];
      const groups = (to - from) / LORA_GROUP;
      return {
        down: this.#tensor(down.subarray(from * into, to * into), [groups, into, LORA_GROUP]),
        up: this.#tensor(up.subarray(from * out, to * out), [to - from, out]),
      };
    });
    this.#known.set(key, feeds);
    return feeds;
  }

  /** Lays all matrices anew; a run that is under way keeps those that it was given. */
  #change(loaded: LoadedAdapter[]): void {
    this.#loaded = loaded;
    let ranks = 0;
    for (const adapter of loaded) {
      adapter.offset = ranks;
      ranks += adapter.rank;
    }
    this.#stacks = this.#stack();
    this.#known = new Map();
  }

  #stack(): Pieces[] {
    const last = this.#loaded.at(-1);
    const ranks = last ? last.offset + last.rank : 0;
    return this.#branches.map(({ modules, into, out }, at) => {
      const down = new Float32Array(modules.length * ranks * into);
      const up = new Float32Array(modules.length * ranks * out);
      for (const adapter of this.#loaded) {
        const pieces = adapter.pieces[at];
        if (pieces === undefined) continue;
        const first = modules.length * adapter.offset;
        adapter.pieces[at] = { down: put(pieces.down, down, first * into), up: put(pieces.up, up, first * out) };
      }
      return { down, up };
    });
  }
}

/** How many of the model's layers a layer of the decode graph is made of. */
const QKV_AND_OTHERS = [3, 1];

const NO_PIECES: Pieces = { down: new Float32Array(0), up: new Float32Array(0) };

function feedsOf(
  branches: readonly Branch[],
  make: (branch: Branch, at: number) => { down: OrtTensor; up: OrtTensor },
): Feeds {
  const feeds: Feeds = {};
  branches.forEach((branch, at) => {
    const names = branchInputs(branch.name);
    const { down, up } = make(branch, at);
    feeds[names.down] = down;
    feeds[names.up] = up;
  });
  return feeds;
}

/** Copies numbers to their place among others, and gives them as they lie there: they are held once. */
function put(numbers: Float32Array, into: Float32Array, at: number): Float32Array {
  into.set(numbers, at);
  return into.subarray(at, at + numbers.length);
}
