import type { ModelConfig } from "../model/model-config.ts";
import type { Parameters } from "../model/parameters.ts";
import { openInPlaceSession } from "../runtime/in-place-session.ts";
import { type Feeds, tensorMaker } from "../runtime/session.ts";
import { AdapterSet } from "./adapter-set.ts";
import { decodeGraph } from "./decode-graph.ts";
import { type CachedTokens, KeyValueCache } from "./key-value-cache.ts";
import type { LoadedAdapter } from "./loaded-adapter.ts";
import { servedModel, type WeightFormat } from "./serving-weights.ts";

export interface DecoderOptions {
  config: ModelConfig;
  parameters: Parameters;
  weights: WeightFormat;
  threads: number;
  /** Texts in the cache. */
  rows: number;
  /** Tokens of each text. */
  length: number;
  /** Whether adapters can stand beside the weights. Without, the graph has no place for them. */
  adapters?: boolean | undefined;
}

/** Consecutive rows of the cache that get the same number of new tokens. */
export interface NewTokens {
  first: number;
  /** Tokens of all rows one after another, [rows, tokens a row]. */
  tokens: Int32Array;
  /** How many tokens each row has already. With more than one new token and some there already, only one row may be given. */
  past: Int32Array;
  /** The adapter of each row; none where it is left out. */
  adapters?: readonly (LoadedAdapter | undefined)[];
}

/** A model that reads tokens into a cache of texts and says what it expects next. */
export interface Decoder {
  readonly vocab_size: number;
  readonly rows: number;
  readonly length: number;
  /** Undefined where it was opened without. They may change between runs. */
  readonly adapters?: AdapterSet | undefined;
  /** The logits after the last new token of each row, [rows, vocabulary]. They are good until the next run, and may be written to. */
  run(input: NewTokens): Promise<Float32Array>;
  /** Copies a text's first tokens to another row. */
  copy(from: number, to: number, length: number): void;
  take(row: number, length: number): CachedTokens;
  put(row: number, tokens: CachedTokens): void;
  close(): Promise<void>;
}

/** Makes a decoder of a model's weights. They are copied: the caller's may be let go. */
export async function openDecoder({
  config,
  parameters,
  weights,
  threads,
  rows,
  length,
  adapters: with_adapters = false,
}: DecoderOptions): Promise<Decoder> {
  const graph = decodeGraph(config, servedModel(config, parameters, weights), { length, adapters: with_adapters });
  const session = await openInPlaceSession(graph, { threads });
  const tensor = await tensorMaker();
  const adapters = with_adapters ? new AdapterSet(config, tensor) : undefined;
  const cache = new KeyValueCache(config, rows, length, tensor);
  const vocab_size = config.vocab_size;
  const logits = new Float32Array(rows * vocab_size);
  const total = new Int32Array(1);

  function frame(first: number, count: number, width: number): Frame {
    const { past, present } = cache.rows(first, count);
    const tokens = new Int32Array(count * width);
    const lengths = new Int32Array(count);
    const select = Int32Array.from({ length: count }, (_, row) => (row + 1) * width - 1);
    const made = logits.subarray(0, count * vocab_size);
    const feeds: Feeds = {
      ...past,
      tokens: tensor(tokens, [count, width]),
      lengths: tensor(lengths, [count]),
      select: tensor(select, [count]),
      total: tensor(total, [1]),
    };
    return { tokens, lengths, feeds, into: { ...present, logits: tensor(made, [count, vocab_size]) }, logits: made };
  }

  // A step needs the same tensors again and again; each prompt's are its own.
  const steps = new Map<number, Frame>();
  function stepFrame(first: number, count: number): Frame {
    const key = first * (rows + 1) + count;
    const known = steps.get(key) ?? frame(first, count, 1);
    steps.set(key, known);
    return known;
  }

  return {
    vocab_size,
    rows,
    length,
    adapters,
    async run({ first, tokens, past, adapters: of_rows = [] }) {
      const count = past.length;
      const width = tokens.length / count;
      const used = width === 1 ? stepFrame(first, count) : frame(first, count, width);
      used.tokens.set(tokens);
      let longest = 0;
      for (let row = 0; row < count; row += 1) {
        const last = (past[row] ?? 0) + width;
        used.lengths[row] = last - 1;
        if (last > longest) longest = last;
      }
      if (longest > length || first + count > rows) throw new RangeError("the cache has no room for these tokens");
      total[0] = longest;
      const branches = adapters?.feeds(
        Array.from(past, (_, row) => of_rows[row]),
        width,
      );
      await session.run(branches ? { ...used.feeds, ...branches } : used.feeds, used.into);
      return used.logits;
    },
    copy: (from, to, tokens) => cache.copy(from, to, tokens),
    take: (row, tokens) => cache.take(row, tokens),
    put: (row, tokens) => cache.put(row, tokens),
    close: () => session.release(),
  };
}

/** The tensors of a run, and the arrays behind them. */
interface Frame {
  tokens: Int32Array;
  lengths: Int32Array;
  feeds: Feeds;
  into: Feeds;
  logits: Float32Array;
}
