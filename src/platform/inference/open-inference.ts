import { randomInt, randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import type { PlatformContext } from "../platform-context.ts";
import type { GenerationParts } from "./generation-routes.ts";
import type { ModelRepositories } from "./model-files.ts";
import { modelLoader } from "./model-loader.ts";
import { countModels } from "./model-metrics.ts";
import { ModelNames } from "./model-names.ts";
import { ModelPool } from "./model-pool.ts";

/** What serving models may take. */
export interface InferenceOptions {
  /** All loaded models together; the least recently used one makes room. Half of the machine's memory unless told. */
  memory_bytes?: number | undefined;
  /** Candidates of one model that run or wait; more are turned away with 429. 2048 unless told. */
  max_pending?: number | undefined;
}

/** The models of a platform: their names, and those that are loaded. */
export type Inference = GenerationParts;

/** Nothing is loaded before it is asked for. The pool is to be closed. */
export async function openInference(
  context: PlatformContext,
  repositories: ModelRepositories,
  { memory_bytes = memoryToUse(), max_pending = 2048 }: InferenceOptions = {},
): Promise<Inference> {
  const { database, dir, log, metrics } = context;
  const scratch = join(dir, "inference");
  // What a platform that was killed had laid out.
  await rm(scratch, { recursive: true, force: true });
  const pool = new ModelPool({
    loader: modelLoader({ repositories, scratch, memory_bytes }),
    memory_bytes,
    max_pending,
    onCrash: (label, error) => log.warn(`model ${label}: ${error.message}`),
  });
  countModels(metrics, pool);
  return {
    names: new ModelNames(database, repositories),
    pool,
    // What 32 bits hold every client can send again.
    newSeed: () => randomInt(2 ** 31),
    newAnswerId: () => randomUUID().replaceAll("-", ""),
  };
}

function memoryToUse(): number {
  // Where a container has no limit this is a number beyond all memory, or 0.
  const limit = process.constrainedMemory();
  return Math.min(totalmem(), limit > 0 ? limit : Number.POSITIVE_INFINITY) / 2;
}
