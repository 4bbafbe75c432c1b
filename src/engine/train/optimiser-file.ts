import { join } from "node:path";
import { usageError } from "../../lib/errors.ts";
import { isFile } from "../../lib/files.ts";
import { openTensorFile } from "../weights/tensor-file.ts";
import { tensorSource } from "../weights/tensor-source.ts";
import { writeTensorFile } from "../weights/write-tensor-file.ts";
import type { ParameterStore } from "./parameter-store.ts";
import type { OptimiserState } from "./run-training.ts";

const NAME = "optimizer.safetensors";

/** Writes the moments of a store, in the order of its numbers, into a folder. */
export async function writeOptimiser(dir: string, store: ParameterStore, steps: number): Promise<void> {
  const { first_moments, second_moments } = store;
  const tensors = new Map([
    ["first_moments", { shape: [first_moments.length], data: first_moments }],
    ["second_moments", { shape: [second_moments.length], data: second_moments }],
  ]);
  await writeTensorFile(join(dir, NAME), tensorSource(tensors), { dtype: "F32", metadata: { steps: String(steps) } });
}

/** Reads what an earlier job wrote with `save_optimizer`. */
export async function readOptimiser(dir: string): Promise<OptimiserState> {
  const path = join(dir, NAME);
  if (!(await isFile(path))) {
    throw usageError({
      code: "optimizer_missing",
      where: path,
      what: "the job that wrote this folder left no optimiser behind",
      fix: "train it with --save_optimizer, or leave --optimizer_from out",
    });
  }
  await using file = await openTensorFile(path);
  return {
    path,
    first_moments: await file.read("first_moments"),
    second_moments: await file.read("second_moments"),
    steps: Number(file.header.metadata.steps ?? 0),
  };
}
