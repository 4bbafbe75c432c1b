import { EXIT, PairwrightError } from "../../lib/errors.ts";
import type { Recompute } from "../model/forward.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { parameterCount } from "../model/parameters.ts";
import { lanesFor } from "./lanes.ts";

/** What a job computes at a time, as far as memory goes. */
export interface JobSize {
  config: ModelConfig;
  /** Numbers that are trained. */
  trained: number;
  /** Rank of the adapters; 0 where the weights themselves are trained. */
  rank: number;
  /** Tokens of a micro-batch. */
  tokens: number;
  /** Tokens of the longest prompt with what must stand beside each other: both replies of a pair. */
  length: number;
  /** How many tokens each one looks at, where these are most. */
  seen: number;
  /** Wanted tokens whose logits are in memory at a time. */
  wanted: number;
}

/** Bytes that Node, onnxruntime and the graphs take before any weight is there. */
const BASE = 150e6;
/** Bytes that the thread of a second lane takes with its graph, beside copies of weights and gradients there and on the way. */
const LANE = 30e6;

/**
 * Bytes at the peak of a job, from the shapes of what is alive then: weights, gradients and moments; what each block keeps
 * for the backward pass, and with recomputation one block's in whole; logits. Held against measured peaks in `bench/train.ts`.
 */
export function peakBytes(size: JobSize, recompute: Recompute): number {
  const { config, trained, rank, tokens, seen, wanted } = size;
  const { hidden_size: d, intermediate_size: f, num_attention_heads: h, head_dim, num_hidden_layers: layers } = config;
  const all = parameterCount(config);
  // The model as it was read, and values, gradients and two moments of what is trained.
  const state = all + 4 * trained;
  const queries = h * head_dim;
  const keys = config.num_key_value_heads * head_dim;
  const attention = 2 * h * seen;
  const block = 6 * d + 4 * queries + 4 * keys + 7 * f + attention + 14 * rank;
  const products = d + queries + keys + 2 * f + 7 * rank;
  const kept = {
    nothing: layers * (block - f),
    all_but_products: layers * (d + products) + 1.5 * block,
    all: layers * d + 1.5 * block,
  }[recompute];
  const logits = 4 * wanted * config.vocab_size;
  const beside = lanesFor(config) > 1 ? LANE + 16 * trained : 0;
  return BASE + beside + 4 * (state + tokens * (kept + 2 * d) + logits);
}

const NOTHING: readonly Recompute[] = ["nothing"];
/** The faster one first. */
const SOMETHING: readonly Recompute[] = ["all_but_products", "all"];

export interface MemoryPlan {
  recompute: Recompute;
  bytes: number;
}

/**
 * Which activations are made again in the backward pass: none or some, as asked, or else as memory allows; never more than
 * it needs. Fails with `memory_too_small` when the job cannot fit in `available` bytes.
 */
export function planMemory(size: JobSize, asked: boolean | null, available: number): MemoryPlan {
  const allowed: Recompute[] = [...(asked === true ? [] : NOTHING), ...(asked === false ? [] : SOMETHING)];
  const roomy = allowed.find((recompute) => peakBytes(size, recompute) <= 0.7 * available);
  const recompute = roomy ?? allowed.at(-1) ?? "all";
  const bytes = peakBytes(size, recompute);
  if (bytes <= available) return { recompute, bytes };
  throw new PairwrightError({
    code: "memory_too_small",
    where: "training",
    what: `the job needs about ${gigabytes(bytes)} of memory and ${gigabytes(available)} are free`,
    fix: remedies(size, recompute).join(", or "),
    exit_code: EXIT.usage,
  });
}

function remedies({ rank, tokens, length }: JobSize, recompute: Recompute): string[] {
  return [
    ...(rank === 0 ? ["train LoRA adapters instead (--finetuning_type lora)"] : []),
    ...(recompute === "all" ? [] : ["let activations be made again (--recompute true)"]),
    ...(tokens > length ? [`compute fewer tokens at a time (--max_tokens_per_micro_batch, now ${tokens})`] : []),
    `cut rows shorter (--max_length, the longest has ${length} tokens)`,
  ];
}

/** `1.5 GB` */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
