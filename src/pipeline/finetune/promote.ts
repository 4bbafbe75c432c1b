import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { DeploymentStatus, JobSteps, TrainingBackend } from "../../registry/training-backend.ts";
import type { JobFile } from "./job-file.ts";
import { waitForDeployment } from "./wait-for-job.ts";

/**
 * Deploys a model that was found to be better where the configuration has its deployment: what is there now is replaced
 * when the new one is ready. `backend` has the deployment's configured name; the model was measured under another one.
 */
export async function promote(
  job: JobFile,
  model: string,
  {
    backend,
    clock,
    drain,
    stop,
    log,
  }: { backend: TrainingBackend; clock: Clock; drain: AbortSignal; stop: AbortSignal; log: Logger },
): Promise<DeploymentStatus> {
  const steps = job.steps(stop, log);
  const own: JobSteps = { ...steps, step: (name, intent, work) => steps.step(`promoted_${name}`, intent, work) };
  const { name } = await backend.deploy(model, own);
  const signal = AbortSignal.any([drain, stop]);
  return waitForDeployment(backend, name, async () => undefined, { clock, signal, log });
}
