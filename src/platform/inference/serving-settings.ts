import { availableParallelism } from "node:os";
import { cacheBytes } from "../../engine/generate/key-value-cache.ts";
import { rowsNeeded } from "../../engine/generate/scheduler.ts";
import type { ModelConfig } from "../../engine/model/model-config.ts";
import { parameterCount } from "../../engine/model/parameters.ts";

/** How a model is run, and what it will take. */
export interface ServingSettings {
  threads: number;
  /** Candidates that run at once. */
  max_batch: number;
  /** Tokens of prompt and reply together. */
  max_length: number;
  /** What the model is expected to take once it is loaded. */
  bytes: number;
}

/** A process without a model. */
const PROCESS_BYTES = 120 * 2 ** 20;
/** Below this many weights a step is too short for a second thread to help. */
const SMALL = 4_000_000;
const LEAST_LENGTH = 256;

/**
 * Settings for a model where all models together may take `memory_bytes`. Half of it is for keys and values: first the
 * batch gives way, then the length.
 */
export function servingSettings(config: ModelConfig, memory_bytes: number): ServingSettings {
  const weights = parameterCount(config);
  const small = weights < SMALL;
  let max_batch = small ? 128 : 32;
  let max_length = config.max_position_embeddings;
  const cache = () => cacheBytes(config, rowsNeeded(max_batch, max_length), max_length);
  while (cache() > memory_bytes / 2 && max_batch > 4) max_batch /= 2;
  while (cache() > memory_bytes / 2 && max_length > LEAST_LENGTH) max_length = Math.ceil(max_length / 2);
  // The weights as they were read, and as they are served.
  const bytes = 8 * weights + cache() + PROCESS_BYTES;
  return { threads: small ? 1 : availableParallelism(), max_batch, max_length, bytes };
}
