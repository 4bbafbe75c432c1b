import { codeOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { scrubber } from "../../lib/scrub.ts";
import type { JobRecord } from "../../records/job.ts";
import type { JobSteps, TrainingBackend } from "../../registry/training-backend.ts";
import type { TrainingParts } from "../assemble-training.ts";
import type { RunFolder } from "../run-folder.ts";
import { type JobFile, openJobFile } from "./job-file.ts";
import type { Judged } from "./measuring.ts";
import { retire } from "./retire.ts";
import type { TrainingOptions } from "./run-job.ts";
import { type WaitOptions, waitForDeployment } from "./wait-for-job.ts";

export interface PromoteOptions extends Pick<TrainingOptions, "clock" | "drain" | "stop" | "times"> {
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
 * one that is there serves it from now on. Otherwise what is deployed there stays. The deployment that the model was
 * measured by goes in both cases. Errors: those of deployments.
 */
export async function promoteIfBetter(
  folder: Pick<RunFolder, "dir">,
  { after, verdict }: Required<Judged>,
  { training: { backend, secrets }, clock, drain, stop, log, times }: PromoteOptions,
): Promise<Promoted> {
  const job = await openJobFile(folder.dir, { clock, scrub: scrubber(secrets) });
  if (job === undefined || !backend.deploy_on_completion) return {};
  const signal = AbortSignal.any([drain, stop]);
  const began = clock.now();
  try {
    if (verdict.promoted === true) await promote(job, after.model, { backend, clock, signal, stop, log });
    else {
      log.info("the model is not promoted: what is deployed under the configured name stays");
      await retire(job, { backend, stop, log });
    }
    return { job: job.record };
  } catch (error) {
    if (signal.aborted) return { stopped: "drained" };
    throw error;
  } finally {
    times?.add("deploy", (clock.now() - began) / 1000);
  }
}

interface PromoteParts extends WaitOptions {
  backend: TrainingBackend;
  stop: AbortSignal;
}

async function promote(job: JobFile, model: string, { backend, stop, ...waiting }: PromoteParts): Promise<void> {
  const { log } = waiting;
  const steps = job.steps(stop, log);
  const own: JobSteps = { ...steps, step: (name, intent, work) => steps.step(`${PROMOTED}${name}`, intent, work) };
  const { name } = await backend.deploy(model, own);
  const deployment = await waitForDeployment(backend, name, async () => undefined, waiting).catch(async (error) => {
    if (codeOf(error) === "deployment_failed" || codeOf(error) === "deployment_gone") await forget(job);
    throw error;
  });
  if (job.record.deployment?.name !== deployment.name) await retire(job, { backend, stop, log });
  await job.update({ deployment: { ...deployment, promoted: true } });
  log.info(`promoted: ${model} is deployed as ${deployment.name}`);
}

/** Before the names of the steps of this deployment. */
const PROMOTED = "promoted_";

/** Whoever goes on asks for it anew: somebody may have mended what failed. */
async function forget(job: JobFile): Promise<void> {
  const steps = Object.entries(job.record.steps).filter(([name]) => !name.startsWith(PROMOTED));
  await job.update({ steps: Object.fromEntries(steps) });
}
