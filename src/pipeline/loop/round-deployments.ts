import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { scrubbedLogger, scrubber } from "../../lib/scrub.ts";
import type { TrainingParts } from "../assemble-training.ts";
import { openJobFile } from "../finetune/job-file.ts";
import { type RetireOptions, retire } from "../finetune/retire.ts";
import { deployModel } from "../finetune/train.ts";
import type { LoopRecord, RoundRecord } from "./loop-record.ts";

export interface RoundDeploymentsOptions extends Omit<RetireOptions, "backend"> {
  output_dir: string;
  training: Pick<TrainingParts, "backend" | "secrets">;
  clock: Clock;
}

/** Takes away what the rounds deployed to be measured, but for those that `keep`. What an earlier process left is found, too. */
export async function retireRounds(
  { rounds }: Pick<LoopRecord, "rounds">,
  keep: (round: RoundRecord) => boolean,
  { output_dir, training: { backend, secrets }, clock, stop, log }: RoundDeploymentsOptions,
): Promise<void> {
  const scrub = scrubber(secrets);
  for (const round of rounds.filter((one) => !keep(one))) {
    const job = await openJobFile(join(output_dir, round.run_id), { clock, scrub });
    if (job !== undefined) await retire(job, { backend, stop, log: scrubbedLogger(log, scrub) });
  }
}

/**
 * Deploys the model of a round again where it was taken away, as its own, to play or to be measured once more. False where
 * the waiting was interrupted.
 */
export async function serveAgain(
  { run_id }: Pick<RoundRecord, "run_id">,
  { output_dir, training, ...options }: RoundDeploymentsOptions & { drain: AbortSignal },
): Promise<boolean> {
  const { clock, drain, stop } = options;
  const { backend, secrets } = training;
  const job = await openJobFile(join(output_dir, run_id), { clock, scrub: scrubber(secrets) });
  if (job?.record.deployment?.status !== "deleted") return true;
  try {
    await deployModel(job, { ...options, backend });
    return true;
  } catch (error) {
    if (drain.aborted || stop.aborted) return false;
    throw error;
  }
}
