import type { Logger } from "../../lib/log.ts";
import { scrubber } from "../../lib/scrub.ts";
import type { JobRecord } from "../../records/job.ts";
import type { JobSteps } from "../../registry/training-backend.ts";
import type { TrainingParts } from "../assemble-training.ts";
import type { TrainingOptions } from "../finetune.ts";
import type { RunFolder } from "../run-folder.ts";
import { openJobFile } from "./job-file.ts";
import type { Judged } from "./measuring.ts";
import { waitForDeployment } from "./wait-for-job.ts";

export interface PromoteOptions extends Pick<TrainingOptions, "clock" | "drain" | "stop"> {
  /** With the deployment's configured name; the model was measured under another one. */
  training: TrainingParts;
  log: Logger;
}

/** What promoting came to: the job as it is recorded then, where anything was deployed. */
export interface Promoted {
  job?: JobRecord;
  stopped?: "drained";
}

/**
 * Deploys the model that a job of this run made where the configuration has its deployment, if it was found to be better:
 * one that is there serves it from now on. Otherwise what is deployed there stays. Errors: those of deployments.
 */
export async function promoteIfBetter(
  folder: RunFolder,
  { after, verdict }: Required<Judged>,
  { training: { backend, secrets }, clock, drain, stop, log }: PromoteOptions,
): Promise<Promoted> {
  const job = await openJobFile(folder.dir, { clock, scrub: scrubber(secrets) });
  if (job === undefined || !backend.deploy_on_completion) return {};
  if (verdict.promoted !== true) {
    log.info("the model is not promoted: what is deployed under the configured name stays");
    return {};
  }
  const steps = job.steps(stop, log);
  const own: JobSteps = { ...steps, step: (name, intent, work) => steps.step(`promoted_${name}`, intent, work) };
  const signal = AbortSignal.any([drain, stop]);
  try {
    const { name } = await backend.deploy(after.model, own);
    const deployment = await waitForDeployment(backend, name, async () => undefined, { clock, signal, log });
    await job.update({ deployment });
    log.info(`promoted: ${after.model} is deployed as ${deployment.name}`);
    return { job: job.record };
  } catch (error) {
    if (signal.aborted) return { stopped: "drained" };
    throw error;
  }
}
