import { badAdapter, checkAdapter, type LoraAdapter } from "../model/lora.ts";
import type { ModelConfig } from "../model/model-config.ts";
import type { Feeds, tensorMaker } from "../runtime/session.ts";
import { type Branch, branchesOf, type LoadedAdapter, loadedAdapter, type Pieces } from "./loaded-adapter.ts";
import { branchInputs, LORA_GROUP, LORA_SCALE, scalesName } from "./lora-branch.ts";

type MakeTensor = Awaited<ReturnType<typeof tensorMaker>>;

/** What a run is given of all adapters. Replaced, and never changed, when one comes or goes. */
export interface AdapterStacks {
  feeds: Feeds;
  /** The ranks of all adapters together. */
  ranks: number;
}

/** The tensors of one run, and the arrays that say which ranks count for which token. */
export interface AdapterFrame {
  stacks: AdapterStacks;
  scales: { parts: number; data: Float32Array }[];
  feeds: Feeds;
}

/** How many of the model's layers a layer of the decode graph is made of. */
const QKV_AND_OTHERS = [3, 1];

/**
 * The adapters beside one model: their matrices one after another, so that rows of different adapters run together and
 * each takes only its own ranks. Larger ranks come first, each filled up to a power of two: then none stands across the
 * places where a long sum is cut (every 128 numbers), and what a row gets does not depend on what else is there.
 */
export class AdapterSet {
  readonly #config: ModelConfig;
  readonly #tensor: MakeTensor;
  #loaded: LoadedAdapter[] = [];
  #stacks: AdapterStacks;

  constructor(config: ModelConfig, tensor: MakeTensor) {
    this.#config = config;
    this.#tensor = tensor;
    this.#stacks = this.#stack();
  }

  get stacks(): AdapterStacks {
    return this.#stacks;
  }

  /** Copies an adapter in. Errors: `bad_adapter` with the tensor that does not fit. */
  add(adapter: LoraAdapter, where: string): LoadedAdapter {
    checkAdapter(adapter, this.#config, where);
    for (const [name, { data }] of adapter.tensors) {
      // Times zero it would still reach the rows that do not use it.
      if (!data.every(Number.isFinite)) throw badAdapter(where, `tensor ${name} holds numbers that are not finite`);
    }
    const loaded = loadedAdapter(this.#config, adapter);
    this.#loaded = [...this.#loaded, loaded].sort((a, b) => b.rank - a.rank);
    this.#stacks = this.#stack();
    return loaded;
  }

  remove(adapter: LoadedAdapter): void {
    this.#loaded = this.#loaded.filter((other) => other !== adapter);
    this.#stacks = this.#stack();
  }

  /** The tensors of a run over so many tokens. */
  frame(tokens: number): AdapterFrame {
    const stacks = this.#stacks;
    const scales = QKV_AND_OTHERS.map((parts) => {
      const data = new Float32Array(tokens * parts * stacks.ranks);
      return { parts, data, tensor: this.#tensor(data, [tokens, parts * stacks.ranks]) };
    });
    const given = scales.map(({ parts, tensor }) => [scalesName(parts), tensor] as const);
    return { stacks, scales, feeds: { ...stacks.feeds, ...Object.fromEntries(given) } };
  }

  /** Says in a frame which adapter each row has, of `width` tokens a row. */
  choose(
    { scales, stacks: { ranks } }: AdapterFrame,
    rows: readonly (LoadedAdapter | undefined)[],
    width: number,
  ): void {
    for (const { parts, data } of scales) {
      data.fill(0);
      rows.forEach((adapter, row) => {
        // One that was removed meanwhile belongs to a request that nobody waits for.
        if (adapter === undefined || !this.#loaded.includes(adapter)) return;
        for (let token = row * width; token < (row + 1) * width; token += 1) {
          const start = parts * (token * ranks + adapter.offset);
          data.fill(LORA_SCALE * adapter.scale, start, start + parts * adapter.rank);
        }
      });
    }
  }

  /** All matrices anew, with the loaded adapters as parts of them. */
  #stack(): AdapterStacks {
    let ranks = 0;
    for (const adapter of this.#loaded) {
      adapter.offset = ranks;
      ranks += adapter.rank;
    }
    // Nothing is a product over nothing here: without an adapter there is a group of zeros.
    ranks = Math.max(ranks, LORA_GROUP);
    const feeds: Feeds = {};
    for (const branch of branchesOf(this.#config)) {
      const { into, out, modules } = branch;
      const down = new Float32Array(modules.length * ranks * into);
      const up = new Float32Array(modules.length * ranks * out);
      for (const adapter of this.#loaded) {
        const pieces = adapter.pieces.get(branch.name);
        if (pieces)
          adapter.pieces.set(branch.name, putInto({ down, up }, pieces, modules.length * adapter.offset, branch));
      }
      const names = branchInputs(branch.name);
      feeds[names.down] = this.#tensor(down, [(modules.length * ranks) / LORA_GROUP, into, LORA_GROUP]);
      feeds[names.up] = this.#tensor(up, [modules.length * ranks, out]);
    }
    return { feeds, ranks };
  }
}

/** Copies an adapter's matrices to their place among those of all, and gives them as they lie there. */
function putInto(all: Pieces, { down, up }: Pieces, first_rank: number, { into, out }: Branch): Pieces {
  const [down_at, up_at] = [first_rank * into, first_rank * out];
  all.down.set(down, down_at);
  all.up.set(up, up_at);
  return {
    down: all.down.subarray(down_at, down_at + down.length),
    up: all.up.subarray(up_at, up_at + up.length),
  };
}
