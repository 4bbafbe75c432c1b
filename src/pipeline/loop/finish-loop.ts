import { basename, join } from "node:path";
import type { Logger } from "../../lib/log.ts";
import { scrubber } from "../../lib/scrub.ts";
import type { TrainingParts } from "../assemble-training.ts";
import { chooseHeldOut } from "../finetune/held-out.ts";
import { openJobFile } from "../finetune/job-file.ts";
import { type Judged, judgeIn, type Measuring, measureIn, planOf } from "../finetune/measuring.ts";
import { promote } from "../finetune/promote.ts";
import type { FinetuneOptions } from "../finetune.ts";
import { openRunFolder, type RunFolder, readManifest } from "../run-folder.ts";
import type { LoopRecord } from "./loop-record.ts";

export interface FinishOptions extends Omit<FinetuneOptions, "training" | "measuring"> {
  output_dir: string;
  /** With the deployment's configured name. */
  training: TrainingParts;
  measuring: Measuring;
  log: Logger;
}

/**
 * Measures the model that the rounds began with and the champion over the same examples, judges them, and deploys a
 * champion that is better where the configuration has its deployment. Undefined where it was stopped, or there is no
 * champion but the first model.
 */
export async function finishLoop(
  { champion, rounds }: LoopRecord,
  options: FinishOptions,
): Promise<Judged | undefined> {
  const round = rounds.find((one) => one.round === champion?.round);
  if (round?.model == null) return undefined;
  const { output_dir, measuring, log } = options;
  const folder = await openRound(output_dir, round.run_id);
  try {
    const parts = await measuring.parts(null);
    try {
      const held = await chooseHeldOut(parts.examples(), options.held_out);
      const plan = await planOf(parts, held, measuring);
      const measure = { ...options, plan, measuring };
      const before = await measureIn(folder, "first", null, measure);
      if (before === undefined) return undefined;
      const after = await measureIn(folder, "champion", round.model, measure);
      if (after === undefined) return { before };
      const evaluators = Object.keys(parts.evaluators);
      const judged = await judgeIn(folder, { before, after }, { plan, seed: measuring.seed, evaluators });
      if (judged.verdict.promoted === true) await deployChampion(folder, round.model, options);
      else log.info("the champion is not promoted: what is deployed under the configured name stays");
      return judged;
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

/** Does nothing where the configuration wants no deployment. */
export async function deployChampion(
  folder: RunFolder,
  model: string,
  { training, clock, drain, stop, log }: Pick<FinishOptions, "training" | "clock" | "drain" | "stop" | "log">,
): Promise<void> {
  const { backend, secrets } = training;
  if (!backend.deploy_on_completion) return;
  const job = await openJobFile(folder.dir, { clock, scrub: scrubber(secrets) });
  if (job === undefined) return;
  const { name } = await promote(job, model, { backend, clock, drain, stop, log });
  log.info(`promoted: ${model} is deployed as ${name}`);
}
