import { type PairwrightError, usageError } from "../../lib/errors.ts";
import type { TokenLogProbability } from "./log-probabilities.ts";
import { PLAIN_SAMPLING, type SamplingSettings } from "./sampling-settings.ts";

/** What is to be generated. Sampling is described at `SamplingSettings`; what is left out has no effect. */
export interface GenerationRequest extends Partial<Omit<SamplingSettings, "logit_bias">> {
  /** Token ids, at least one. */
  prompt: readonly number[];
  /** Candidates; the prompt is read once for all of them. 1 unless told. */
  n?: number;
  /** As many as there is room for unless told. */
  max_tokens?: number;
  /** Decides every random choice together with the candidate's index; 0 unless told. */
  seed?: number;
  /** A seed for each candidate instead: each text is then that of a request of its own with this seed. */
  seeds?: readonly number[];
  /** The index of the first candidate: candidates of a request can be asked for one by one. 0 unless told. */
  first_candidate?: number;
  /** The text ends before any of these. */
  stop?: readonly string[];
  /** Any of these ends the text and is no part of it; those of the tokenizer unless told. */
  stop_token_ids?: readonly number[];
  /** Log-probabilities of the tokens, each with this many of the likeliest ones beside it. */
  logprobs?: number;
  logit_bias?: Readonly<Record<string, number>> | ReadonlyMap<number, number>;
  /** The name of an adapter that was added; the model itself unless told. */
  adapter?: string;
}

/** One generated text. */
export interface Completion {
  index: number;
  text: string;
  /** Every token that was drawn, also the one that ended the text. */
  token_ids: number[];
  /** An end token or a stop string came; `max_tokens` were made; the request was aborted. */
  finish_reason: "stop" | "length" | "abort";
  /** The stop string that came, if that was it. */
  stopped_by: string | null;
  /** One for each of `token_ids`, when the request asks for them. */
  logprobs: TokenLogProbability[] | null;
}

/** A request with every default filled in. */
export interface CheckedRequest {
  prompt: readonly number[];
  n: number;
  max_tokens: number;
  seed: number;
  seeds: readonly number[] | null;
  first_candidate: number;
  stop: readonly string[];
  stop_token_ids: ReadonlySet<number>;
  logprobs: number | null;
  sampling: SamplingSettings;
}

/** What a request has to fit. */
export interface RequestLimits {
  vocab_size: number;
  /** Tokens of prompt and reply together. */
  max_length: number;
  stop_token_ids: readonly number[];
}

/** Fills in defaults. Errors: `bad_request` with the field, `prompt_too_long`. */
export function checkRequest(request: GenerationRequest, limits: RequestLimits): CheckedRequest {
  const { prompt, seeds, n = seeds?.length ?? 1, seed = 0, first_candidate = 0, stop = [], logprobs } = request;
  const { vocab_size } = limits;
  if (prompt.length === 0) throw badRequest("prompt", "the prompt has no token", "give at least one");
  const stranger = prompt.find((id) => !isWhole(id, 0, vocab_size - 1));
  if (stranger !== undefined) throw unknownToken("prompt", stranger, vocab_size);
  whole("n", n, 1);
  whole("seed", seed, Number.MIN_SAFE_INTEGER);
  for (const each of seeds ?? []) whole("seeds", each, Number.MIN_SAFE_INTEGER);
  if (seeds !== undefined && seeds.length !== n) {
    throw badRequest("seeds", `${seeds.length} seeds are no seed for each of ${n} candidates`, `give ${n} seeds`);
  }
  whole("first_candidate", first_candidate, 0);
  if (logprobs !== undefined) whole("logprobs", logprobs, 0, vocab_size);
  if (stop.includes("")) throw badRequest("stop", "a stop string is empty", "leave it out");
  return {
    prompt,
    n,
    max_tokens: roomFor(request, limits),
    seed,
    seeds: seeds ?? null,
    first_candidate,
    stop,
    stop_token_ids: new Set(request.stop_token_ids ?? limits.stop_token_ids),
    logprobs: logprobs ?? null,
    sampling: checkSampling(request, vocab_size),
  };
}

function roomFor({ prompt, max_tokens }: GenerationRequest, { max_length }: RequestLimits): number {
  if (max_tokens !== undefined) whole("max_tokens", max_tokens, 1);
  const room = max_length - prompt.length;
  if ((max_tokens ?? 1) <= room) return max_tokens ?? room;
  const asked = max_tokens === undefined ? "a reply" : `${max_tokens} of a reply`;
  throw usageError({
    code: "prompt_too_long",
    what: `${prompt.length} tokens of prompt and ${asked} do not fit in ${max_length} tokens`,
    fix: room > 0 ? `ask for at most ${room} tokens, or shorten the prompt` : "shorten the prompt",
  });
}

function checkSampling(request: GenerationRequest, vocab_size: number): SamplingSettings {
  const given = Object.fromEntries(
    Object.keys(PLAIN_SAMPLING).map((name) => [name, request[name as keyof SamplingSettings]]),
  );
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const settings: SamplingSettings = {
    ...PLAIN_SAMPLING,
    ...present,
    logit_bias: biases(request.logit_bias ?? new Map(), vocab_size),
  };
  within("temperature", settings.temperature, 0, 100);
  whole("top_k", settings.top_k, 0);
  within("top_p", settings.top_p, 0, 1);
  within("min_p", settings.min_p, 0, 1);
  within("repetition_penalty", settings.repetition_penalty, 0.01, 100);
  within("presence_penalty", settings.presence_penalty, -100, 100);
  within("frequency_penalty", settings.frequency_penalty, -100, 100);
  return settings;
}

function biases(given: NonNullable<GenerationRequest["logit_bias"]>, vocab_size: number): ReadonlyMap<number, number> {
  const entries = given instanceof Map ? [...given] : Object.entries(given);
  const made = new Map<number, number>();
  for (const [key, bias] of entries) {
    const id = Number(key);
    if (!isWhole(id, 0, vocab_size - 1)) throw unknownToken("logit_bias", key, vocab_size);
    if (typeof bias !== "number" || Number.isNaN(bias) || bias === Number.POSITIVE_INFINITY) {
      throw badRequest("logit_bias", `the bias of token ${id} is not a number`, "give a number");
    }
    made.set(id, bias);
  }
  return made;
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

function whole(field: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (isWhole(value, least, most)) return;
  const bounds = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw badRequest(field, `${value} is not a whole number ${bounds}`, `give a whole number ${bounds}`);
}

function within(field: string, value: number, least: number, most: number): void {
  if (typeof value === "number" && value >= least && value <= most) return;
  throw badRequest(field, `${value} is not a number from ${least} to ${most}`, `give one from ${least} to ${most}`);
}

function unknownToken(field: string, id: number | string, vocab_size: number): PairwrightError {
  return badRequest(
    field,
    `the model knows no token ${id}`,
    `its ids go from 0 to ${vocab_size - 1}: use the tokenizer that it was trained with`,
  );
}

function badRequest(field: string, what: string, fix: string): PairwrightError {
  return usageError({ code: "bad_request", where: field, what, fix });
}
