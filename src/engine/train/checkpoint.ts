import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { codeOf, usageError } from "../../lib/errors.ts";
import { writeFolderWhole } from "../../lib/whole-folder.ts";
import type { Tensor } from "../model/parameters.ts";
import { openTensorFile } from "../weights/tensor-file.ts";
import { tensorSource } from "../weights/tensor-source.ts";
import { writeError } from "../weights/weights-error.ts";
import { writeTensorFile } from "../weights/write-tensor-file.ts";
import type { ParameterStore } from "./parameter-store.ts";

/** Where a job stands, beside its weights. */
export const TrainingState = z.strictObject({
  /** Optimiser steps done. */
  step: z.int().nonnegative(),
  /** Of model, data and options: what a checkpoint goes on with must be the same. */
  fingerprint: z.string(),
  first_loss: z.number().nullable(),
  last_loss: z.number().nullable(),
  best_validation_loss: z.number().nullable(),
  /** Validations since the best one. */
  stale_validations: z.int().nonnegative(),
  /** The step of the last validation. */
  validated_step: z.int().nonnegative(),
});
export type TrainingState = z.infer<typeof TrainingState>;

const NUMBERS = "state.safetensors";
const FACTS = "state.json";

export interface Checkpoint {
  state: TrainingState;
  /** `values`, `first_moments`, `second_moments` of the parameter store, and `best` where a validation was the best so far. */
  tensors: Map<string, Float32Array>;
}

/** Writes a checkpoint as a folder that appears whole, and then removes those before it. */
export async function saveCheckpoint(dir: string, { state, tensors }: Checkpoint): Promise<void> {
  const name = `checkpoint-${state.step}`;
  try {
    await writeFolderWhole(
      join(dir, name),
      async (partial) => {
        const flat = [...tensors].map(([tensor, data]): [string, Tensor] => [tensor, { shape: [data.length], data }]);
        await writeTensorFile(join(partial, NUMBERS), tensorSource(new Map(flat)), { dtype: "F32" });
        await writeFile(join(partial, FACTS), JSON.stringify(state));
      },
      { overwrite: true },
    );
  } catch (error) {
    throw writeError(join(dir, name), error);
  }
  for (const other of await checkpointsIn(dir)) {
    if (other.name !== name) await rm(join(dir, other.name), { recursive: true, force: true });
  }
}

/** The newest checkpoint of a folder; null when there is none. Fails with `checkpoint_mismatch` when it is another job's. */
export async function loadCheckpoint(dir: string, fingerprint: string): Promise<Checkpoint | null> {
  const found = await findCheckpoint(dir, fingerprint);
  if (found === null) return null;
  await using file = await openTensorFile(join(found.path, NUMBERS));
  const tensors = new Map<string, Float32Array>();
  for (const name of file.header.tensors.keys()) tensors.set(name, await file.read(name));
  return { state: found.state, tensors };
}

/** Where the newest checkpoint lies and where it stands, without its numbers; otherwise as `loadCheckpoint`. */
export async function findCheckpoint(
  dir: string,
  fingerprint: string,
): Promise<{ path: string; state: TrainingState } | null> {
  const newest = (await checkpointsIn(dir)).at(-1);
  if (newest === undefined) return null;
  const path = join(dir, newest.name);
  const state = TrainingState.parse(JSON.parse(await readFile(join(path, FACTS), "utf8")));
  if (state.fingerprint !== fingerprint) {
    throw usageError({
      code: "checkpoint_mismatch",
      where: path,
      what: "this checkpoint belongs to a job with another model, data set or other options",
      fix: "start with what it was begun with, or remove this folder to begin anew",
    });
  }
  return { path, state };
}

async function checkpointsIn(dir: string): Promise<{ name: string; step: number }[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  return names
    .flatMap((name) => {
      const step = /^checkpoint-(\d+)$/.exec(name)?.[1];
      return step === undefined ? [] : [{ name, step: Number(step) }];
    })
    .sort((a, b) => a.step - b.step);
}

/** What a store and the best weights so far look like in a checkpoint. */
export function tensorsOf(store: ParameterStore, best: Float32Array | null): Map<string, Float32Array> {
  const { values, first_moments, second_moments } = store;
  return new Map([
    ["values", values],
    ["first_moments", first_moments],
    ["second_moments", second_moments],
    ...(best === null ? [] : ([["best", best]] as const)),
  ]);
}

/** Puts a checkpoint's numbers back. */
export function restore(store: ParameterStore, tensors: ReadonlyMap<string, Float32Array>): void {
  for (const name of ["values", "first_moments", "second_moments"] as const) {
    const numbers = tensors.get(name);
    if (numbers?.length !== store[name].length) throw new RangeError(`the checkpoint's ${name} do not fit`);
    store[name].set(numbers);
  }
}
