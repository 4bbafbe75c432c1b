import { EXIT, PairwrightError } from "../../lib/errors.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { parameterCount } from "../model/parameters.ts";

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
  /** Tokens of the longest tree: a prompt with as many of its replies as stand side by side. Each looks at them all. */
  width: number;
  /** Wanted tokens whose logits are in memory at a time. */
  wanted: number;
}

/** Bytes that Node, onnxruntime and the graphs take before any weight is there. */
const BASE = 150e6;

/**
 * Bytes at the peak of a job, from the shapes of what is alive then: weights, gradients and moments; what each block keeps
 * for the backward pass, or one block's with recomputation; logits. Held against measured peaks in `bench/train.ts`.
 */
export function peakBytes(size: JobSize, { recompute }: { recompute: boolean }): number {
  const { config, trained, rank, tokens, width, wanted } = size;
  const { hidden_size: d, intermediate_size: f, num_attention_heads: h, head_dim, num_hidden_layers: layers } = config;
  const all = parameterCount(config);
  // The model as it was read, and values, gradients and two moments of what is trained.
  const state = all + 4 * trained;
  const queries = h * head_dim;
  const keys = config.num_key_value_heads * head_dim;
  const attention = 2 * h * width;
  const block = 6 * d + 4 * queries + 4 * keys + 7 * f + attention + 14 * rank;
  const kept = recompute ? layers * d + 1.5 * block : layers * (block - f);
  const logits = 4 * wanted * config.vocab_size;
  return BASE + 4 * (state + tokens * (kept + 2 * d) + logits);
}

export interface MemoryPlan {
  recompute: boolean;
  bytes: number;
}

/**
 * Whether activations are made again in the backward pass: as asked, or else when memory would be short without. Fails with
 * `memory_too_small` when the job cannot fit in `available` bytes either way.
 */
export function planMemory(size: JobSize, asked: boolean | null, available: number): MemoryPlan {
  const plain = peakBytes(size, { recompute: false });
  const recompute = asked ?? plain > 0.7 * available;
  const bytes = recompute ? peakBytes(size, { recompute: true }) : plain;
  if (bytes <= available) return { recompute, bytes };
  throw new PairwrightError({
    code: "memory_too_small",
    where: "training",
    what: `the job needs about ${gigabytes(bytes)} of memory and ${gigabytes(available)} are free`,
    fix: remedies(size, recompute).join(", or "),
    exit_code: EXIT.usage,
  });
}

function remedies({ rank, tokens, length }: JobSize, recompute: boolean): string[] {
  return [
    ...(rank === 0 ? ["train LoRA adapters instead (--finetuning_type lora)"] : []),
    ...(recompute ? [] : ["let activations be made again (--recompute true)"]),
    ...(tokens > length ? [`compute fewer tokens at a time (--max_tokens_per_micro_batch, now ${tokens})`] : []),
    `cut rows shorter (--max_length, the longest has ${length} tokens)`,
  ];
}

/** `1.5 GB` */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
