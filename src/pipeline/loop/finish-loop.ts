import { basename, join } from "node:path";
import type { Logger } from "../../lib/log.ts";
import type { TrainingParts } from "../assemble-training.ts";
import { chooseHeldOut } from "../finetune/held-out.ts";
import { readJobRecord } from "../finetune/job-file.ts";
import { gateOf, type Judged, judgeIn, type Measuring, measureIn, planOf } from "../finetune/measuring.ts";
import { promoteIfBetter } from "../finetune/promote.ts";
import type { FinetuneResult } from "../finetune/run-job.ts";
import { storedResult } from "../finetune/stored-result.ts";
import { type FinetuneOptions, lockOutput } from "../finetune.ts";
import { openRunFolder, type RunFolder, readManifest } from "../run-folder.ts";
import type { LoopRecord, RoundRecord } from "./loop-record.ts";
import { retireRounds, serveAgain } from "./round-deployments.ts";

export interface FinishOptions extends Omit<FinetuneOptions, "training" | "measuring"> {
  output_dir: string;
  /** With the deployment's configured name. */
  training: TrainingParts;
  /** With the name that a model has to be measured. */
  candidate: TrainingParts;
  measuring: Measuring;
  log: Logger;
}

/**
 * Measures the model that the rounds began with and the champion over the same examples, judges them, and deploys a
 * champion that is better where the configuration has its deployment. Nothing where there is no champion but the first
 * model. What rounds deployed to be measured goes. What was done before is not done again.
 */
export async function finishLoop(record: LoopRecord, options: FinishOptions): Promise<Finished> {
  const lock = await lockOutput(options.output_dir);
  try {
    const { champion, rounds } = record;
    const round = rounds.find((one) => one.round === champion?.round);
    const finished = round?.model == null ? {} : await judgeChampion({ ...round, model: round.model }, options);
    if (!finished.stopped) await retireRounds(record, () => false, options);
    const told = finished.verdict?.promoted === true ? round : rounds.at(-1);
    const job = await readJobRecord(join(options.output_dir, told?.run_id ?? ""));
    return { ...finished, ...(job && { job }) };
  } finally {
    await lock.release();
  }
}

/** What the rounds came to in the end; `job` is that of a champion that was promoted, else the last one's. */
export type Finished = Partial<Judged> & Pick<FinetuneResult, "stopped" | "gate" | "job">;

async function judgeChampion(round: RoundRecord & { model: string }, options: FinishOptions): Promise<Finished> {
  const { output_dir, measuring } = options;
  const folder = await openRound(output_dir, round.run_id);
  try {
    const parts = await measuring.parts(null);
    try {
      const held = await chooseHeldOut(parts.examples(), options.held_out);
      const plan = await planOf(parts, held, measuring);
      const measure = { ...options, plan, measuring };
      const before = await measureIn(folder, "first", null, measure);
      if (before === undefined) return { stopped: "drained" };
      const ready = () => serveAgain(round, { ...options, training: options.candidate });
      const after = await measureIn(folder, "champion", round.model, { ...measure, ready });
      if (after === undefined) return { before, stopped: "drained" };
      const evaluators = Object.keys(parts.evaluators);
      const judged = await judgeIn(
        folder,
        { before, after },
        {
          ...{ plan, seed: measuring.seed, evaluators },
          // The round has one of its own.
          file: "champion.json",
        },
      );
      const { stopped } = await promoteIfBetter(folder, judged, options);
      return { ...judged, gate: gateOf(folder.manifest, plan), ...(stopped && { stopped }) };
    } finally {
      await parts.close();
    }
  } finally {
    await folder.close();
  }
}

async function openRound(output_dir: string, run_id: string): Promise<RunFolder> {
  const manifest = await readManifest(join(output_dir, basename(run_id)));
  if (manifest === undefined) throw new Error(`the run ${run_id} of a round has no manifest`);
  return openRunFolder(output_dir, manifest);
}

/** What the last round came to, for a command that has none left to play. */
export async function lastResult(output_dir: string, { rounds }: LoopRecord): Promise<FinetuneResult> {
  const folder = await openRound(output_dir, rounds.at(-1)?.run_id ?? "");
  try {
    const job = await readJobRecord(folder.dir);
    return { ...(await storedResult(folder)), ...(job && { job }) };
  } finally {
    await folder.close();
  }
}
