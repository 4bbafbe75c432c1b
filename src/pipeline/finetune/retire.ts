import { PairwrightError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { TrainingBackend } from "../../registry/training-backend.ts";
import type { JobFile } from "./job-file.ts";

export interface RetireOptions {
  backend: Pick<TrainingBackend, "undeploy">;
  stop: AbortSignal;
  log: Logger;
}

/**
 * Takes the deployment of a job away that was there for its model to be measured, unless the model was promoted. Its model
 * and its config stay, so that it can be deployed again. What cannot be taken away is said: no result hangs on it.
 */
export async function retire(job: JobFile, { backend, stop, log }: RetireOptions): Promise<void> {
  const { deployment } = job.record;
  if (deployment === null || deployment.promoted || deployment.status === "deleted") return;
  const { name } = deployment;
  try {
    await backend.undeploy(name, stop);
  } catch (error) {
    if (stop.aborted || !PairwrightError.is(error)) throw error;
    log.warn(`the deployment ${name} was for measuring, and could not be deleted: ${error.message}`);
    return;
  }
  await job.update({ deployment: { ...deployment, status: "deleted", message: null } });
  log.info(`the deployment ${name} was for measuring: deleted`);
}
