import { type PairwrightError, usageError } from "../../lib/errors.ts";
import type { Tokenizer } from "../../tokens/tokenizer.ts";
import type { LoraAdapter } from "../model/lora.ts";
import type { ModelConfig } from "../model/model-config.ts";
import type { Parameters } from "../model/parameters.ts";
import { tokenChooser } from "./choose-token.ts";
import { closedError } from "./closed-error.ts";
import { type Decoder, openDecoder } from "./decoder.ts";
import { type GenerateOptions, Job } from "./job.ts";
import { cacheBytes } from "./key-value-cache.ts";
import type { LoadedAdapter } from "./loaded-adapter.ts";
import { NamedAdapters } from "./named-adapters.ts";
import { probeAdapter } from "./probe-adapter.ts";
import { type Completion, checkRequest, type GenerationRequest } from "./request.ts";
import { rowsNeeded, Scheduler } from "./scheduler.ts";
import type { WeightFormat } from "./serving-weights.ts";

export interface GeneratorOptions {
  config: ModelConfig;
  /** Copied: the caller's may be let go. */
  parameters: Parameters;
  /** Makes text of tokens, and says which tokens end a text. Without it there are token ids only. */
  tokenizer?: Tokenizer | undefined;
  threads: number;
  /** Candidates that run at once; others wait for room. */
  max_batch: number;
  /** Tokens of prompt and reply together: at most the model's `max_position_embeddings`, and that unless told. */
  max_length?: number | undefined;
  weights?: WeightFormat | undefined;
  /**
   * The text of a request is the same whatever else runs beside it. Rows are computed together where this machine gives
   * the same bits then (tried when the generator opens), and one by one where not.
   */
  batch_invariant?: boolean | undefined;
  /** What the key-value cache may take; 4 GiB unless told. */
  max_cache_bytes?: number | undefined;
  /**
   * Whether LoRA adapters can be added beside the weights, each request with its own or none. Steps then have more
   * operators; a model that needs no adapter, or one only and for good (see `mergeAdapter`), is faster without.
   */
  adapters?: boolean | undefined;
}

/** Runs a model for many requests at once. */
export interface Generator {
  readonly max_length: number;
  /**
   * The candidates of a request, in order. Errors: `bad_request`, `prompt_too_long` and `adapter_not_found` before
   * anything is run; `bad_logits`; `generator_closed`.
   */
  generate(request: GenerationRequest, options?: GenerateOptions): Promise<Completion[]>;
  /**
   * Adds an adapter under a name that requests can give; it is copied. Errors: `bad_adapter`, with `where` to say where it
   * comes from; `bad_request` for a name that is taken and for a model that was opened without `adapters`.
   */
  addAdapter(name: string, adapter: LoraAdapter, where?: string): void;
  /** Takes it away: for new requests at once, and altogether when the last one that uses it is over. Errors: `adapter_not_found`. */
  removeAdapter(name: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a model for generation. A step of all running candidates blocks the event loop, and nothing longer does.
 *
 * Randomness belongs to the request: a token depends on seed, candidate and place. Whether logits depend on the batch's
 * shape was measured (Xeon with AVX-512, one and two threads, f32, int8 and int4, 1 to 32 rows): not in one bit, as packed
 * weights are gone through the same way for any number of rows. Weights that are not packed, as in training, differ in
 * the last bits between one row and several, and a prompt that is filled up to another one's length may differ too; so
 * weights are packed here and only prompts of equal length are read together. `batch_invariant` checks this where it runs.
 */
export async function openGenerator(options: GeneratorOptions): Promise<Generator> {
  const { config, tokenizer, threads, max_batch, weights = "f32" } = options;
  const max_length = lengthOf(options);
  const rows = rowsNeeded(max_batch, max_length);
  checkMemory(options, rows, max_length);
  const decoder = await openDecoder({
    config,
    parameters: options.parameters,
    weights,
    threads,
    rows,
    length: max_length,
    adapters: options.adapters,
  });
  const rows_alone = options.batch_invariant === true && !(await isInvariant(decoder, options));
  return generatorOf(decoder, { max_batch, rows_alone, tokenizer });
}

/** See `rowsAreIndependent`; with an adapter in every row where the model has room for them. */
async function isInvariant(decoder: Decoder, { config, max_batch }: GeneratorOptions): Promise<boolean> {
  const probe = decoder.adapters?.add(probeAdapter(config), "probe");
  const independent = await rowsAreIndependent(decoder, max_batch, probe);
  if (probe) decoder.adapters?.remove(probe);
  return independent;
}

/** A generator over any decoder. */
export function generatorOf(
  decoder: Decoder,
  { max_batch, rows_alone, tokenizer }: { max_batch: number; rows_alone: boolean; tokenizer?: Tokenizer | undefined },
): Generator {
  const scheduler = new Scheduler(decoder, { max_batch, rows_alone });
  const adapters = new NamedAdapters(decoder.adapters);
  const tools = { choose: tokenChooser(decoder.vocab_size), tokenizer };
  const limits = {
    vocab_size: decoder.vocab_size,
    max_length: decoder.length,
    stop_token_ids: tokenizer?.eos_ids ?? [],
  };
  let closing: Promise<void> | undefined;
  return {
    max_length: decoder.length,
    async generate(request, options = {}) {
      const checked = checkRequest(request, limits);
      if (closing !== undefined) throw closedError();
      if (checked.stop.length > 0 && !tokenizer) throw needsTokenizer();
      const adapter = request.adapter === undefined ? undefined : adapters.use(request.adapter);
      const job = new Job(checked, options, { ...tools, adapter: adapter?.loaded });
      if (!job.over) scheduler.add(job);
      return adapter ? job.result.finally(() => adapters.release(adapter)) : job.result;
    },
    addAdapter(name, adapter, where = name) {
      if (closing !== undefined) throw closedError();
      adapters.add(name, adapter, where);
    },
    removeAdapter: (name) => adapters.remove(name),
    close() {
      closing ??= scheduler.stop(closedError()).then(() => decoder.close());
      return closing;
    },
  };
}

/** Whether the last of several rows gives the very bits that it gives alone, in a step and when prompts are read. */
export async function rowsAreIndependent(
  decoder: Decoder,
  max_batch: number,
  adapter?: LoadedAdapter,
): Promise<boolean> {
  const text = (row: number, width: number) =>
    Array.from({ length: width }, (_, place) => (row * 7919 + place * 31) % decoder.vocab_size);
  for (const count of new Set([2, 3, 4, 5, 6, 7, 8, 12, 16, max_batch])) {
    if (count > max_batch) continue;
    for (const width of [1, Math.min(5, decoder.length)]) {
      const texts = Array.from({ length: count }, (_, row) => text(row, width));
      const past = new Int32Array(count);
      const adapters = texts.map(() => adapter);
      const together = await decoder.run({ first: 0, tokens: Int32Array.from(texts.flat()), past, adapters });
      const last = together.slice((count - 1) * decoder.vocab_size);
      const own = Int32Array.from(text(count - 1, width));
      const alone = await decoder.run({ first: 0, tokens: own, past: Int32Array.of(0), adapters });
      if (last.some((value, id) => value !== alone[id])) return false;
    }
  }
  return true;
}

function lengthOf({ config, max_length, max_batch }: GeneratorOptions): number {
  for (const [where, value] of Object.entries({ max_batch, max_length: max_length ?? 1 })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    const what = `${value} is not a whole number of at least 1`;
    throw usageError({ code: "bad_request", where, what, fix: "give a whole number of at least 1" });
  }
  const most = config.max_position_embeddings;
  if (max_length === undefined || max_length <= most) return max_length ?? most;
  throw usageError({
    code: "bad_request",
    where: "max_length",
    what: `the model was made for ${most} tokens, and ${max_length} are asked for`,
    fix: `give at most ${most}`,
  });
}

function checkMemory(
  { config, max_cache_bytes = 4 * 2 ** 30, max_batch }: GeneratorOptions,
  rows: number,
  length: number,
) {
  const bytes = cacheBytes(config, rows, length);
  if (bytes <= max_cache_bytes) return;
  const mib = (size: number) => `${(size / 2 ** 20).toPrecision(3)} MiB`;
  throw usageError({
    code: "cache_too_large",
    what: `keys and values of ${max_batch} texts of ${length} tokens take ${mib(bytes)}, and ${mib(max_cache_bytes)} are allowed`,
    fix: "give a smaller max_length or max_batch",
  });
}

function needsTokenizer(): PairwrightError {
  return usageError({
    code: "bad_request",
    where: "stop",
    what: "stop strings need a tokenizer, and there is none",
    fix: "give stop_token_ids",
  });
}
