import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, usageError } from "../../lib/errors.ts";
import { exists, writeFileWhole } from "../../lib/files.ts";
import type { Measurement } from "../measure/measure-model.ts";

const FILE = "loop.json";

const RoundRecord = z.strictObject({
  /** From 1. */
  round: z.int().positive(),
  run_id: z.string(),
  /** The model that played. */
  policy: z.string(),
  /** The model that was trained; null: there was nothing to train on. */
  model: z.string().nullable(),
  job_id: z.string().nullable(),
  pairs: z.int().nonnegative(),
  /** The mean of the figure that rounds are compared by, over the held-out examples. */
  score: z.number().nullable(),
  guard: z.number().nullable(),
  /** That of its job. */
  chosen_reward: z.number().nullable().default(null),
  /** Whether it was a champion that has what is to be reached. */
  reached: z.boolean().default(false),
  /** Whether it was the best so far, and passed the guard. */
  champion: z.boolean(),
  seconds: z.number(),
});
export type RoundRecord = z.infer<typeof RoundRecord>;

const Champion = z.strictObject({
  /** 0: the model that the rounds began with. */
  round: z.int().nonnegative(),
  model: z.string(),
  score: z.number().nullable(),
});
export type Champion = z.infer<typeof Champion>;

/** `loop.json` of an output folder: the rounds that are over, and the best model so far. */
const LoopRecord = z.strictObject({
  base: z.strictObject({ model: z.string(), score: z.number().nullable() }).nullable(),
  champion: Champion.nullable(),
  rounds: z.array(RoundRecord),
  /** What the newest model was measured as: the next round begins with it. */
  newest: z.unknown().nullable(),
  /** Why there will be no more rounds; null: more may come. */
  ended: z.string().nullable(),
});
export type LoopRecord = Omit<z.infer<typeof LoopRecord>, "newest"> & { newest: Measurement | null };

export const NO_ROUNDS: LoopRecord = { base: null, champion: null, rounds: [], newest: null, ended: null };

/** What earlier commands did in this folder; `NO_ROUNDS` where nothing. */
export async function readLoop(output_dir: string): Promise<LoopRecord> {
  const path = join(output_dir, FILE);
  if (!(await exists(path))) return NO_ROUNDS;
  try {
    return LoopRecord.parse(JSON.parse(await readFile(path, "utf8"))) as LoopRecord;
  } catch (cause) {
    throw usageError({
      code: "bad_loop_file",
      where: path,
      what: `this record of rounds cannot be read: ${messageOf(cause, 200)}`,
      fix: "restore it, or name another finetuning.output_dir",
      cause,
    });
  }
}

/**
 * Makes room for new rounds: a record whose rounds are over is kept under the name of its first run. Errors:
 * `loop_unfinished` for one whose rounds are not.
 */
export async function putAside(output_dir: string, count: number): Promise<void> {
  const { rounds, ended } = await readLoop(output_dir);
  const [first] = rounds;
  if (first === undefined) return;
  if (ended === null && rounds.length < count) {
    throw usageError({
      code: "loop_unfinished",
      where: join(output_dir, FILE),
      what: `${rounds.length} rounds are done here, and more were to come`,
      fix: "go on with --resume, or name another finetuning.output_dir",
    });
  }
  await rename(join(output_dir, FILE), join(output_dir, `loop-${first.run_id}.json`));
}

export async function writeLoop(output_dir: string, record: LoopRecord): Promise<void> {
  await writeFileWhole(join(output_dir, FILE), `${JSON.stringify(record, null, 2)}\n`);
}
