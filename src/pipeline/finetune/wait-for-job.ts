import type { Clock } from "../../lib/clock.ts";
import { EXIT, messageOf, PairwrightError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { DeploymentStatus, JobStatus, TrainingBackend } from "../../registry/training-backend.ts";

export interface WaitOptions {
  clock: Clock;
  /** Ends the waiting; the job goes on. */
  signal: AbortSignal;
  log: Logger;
}

/**
 * Asks until a job has ended, whichever way; `onStatus` hears every answer. Errors: `job_status_unknown` (exit 6) when it
 * could not be asked, or answered with a word that nobody knows, so many times in a row as the backend's polling allows.
 */
export async function waitForJob(
  backend: TrainingBackend,
  id: string,
  onStatus: (status: JobStatus) => Promise<void>,
  { clock, signal, log }: WaitOptions,
): Promise<JobStatus> {
  const { poll_interval_seconds } = backend.polling;
  const failures = failureCount(backend, log);
  for (;;) {
    const status = await asked(() => backend.status(id, signal), signal);
    if (status instanceof Failure) {
      if (failures.tooMany(`job ${id}`, status.reason)) throw statusUnknown(`job ${id}`, "job", status.reason);
    } else if (status.status === "unknown") {
      const reason = `it says "${status.backend_status}", which is no status that pairwright knows`;
      if (failures.tooMany(`job ${id}`, reason)) throw statusUnknown(`job ${id}`, "job", reason);
    } else {
      failures.none();
      await onStatus(status);
      if (status.status !== "pending" && status.status !== "running") return status;
    }
    await clock.sleep(poll_interval_seconds * 1000, signal);
  }
}

/**
 * Asks until a deployment is ready. Errors, with its last state: `deployment_failed` and `deployment_timeout` (exit 5),
 * `deployment_status_unknown` (exit 6).
 */
export async function waitForDeployment(
  backend: TrainingBackend,
  name: string,
  onStatus: (status: DeploymentStatus) => Promise<void>,
  { clock, signal, log }: WaitOptions,
): Promise<DeploymentStatus> {
  const { poll_interval_seconds, deployment_timeout_seconds } = backend.polling;
  const failures = failureCount(backend, log);
  const until = clock.now() + deployment_timeout_seconds * 1000;
  let last = "nothing";
  for (;;) {
    const status = await asked(() => backend.deployment(name, signal), signal);
    if (status instanceof Failure) {
      if (status.is_final) throw status.error;
      if (failures.tooMany(`deployment ${name}`, status.reason)) {
        throw statusUnknown(`deployment ${name}`, "deployment", status.reason);
      }
    } else {
      failures.none();
      await onStatus(status);
      if (status.status === "ready") return status;
      last = [status.backend_status, status.message].filter(Boolean).join(": ");
      if (status.status === "failed") throw deploymentFailed(name, last);
    }
    if (clock.now() >= until) throw deploymentTimeout(name, deployment_timeout_seconds, last);
    await clock.sleep(Math.min(poll_interval_seconds * 1000, Math.max(0, until - clock.now())), signal);
  }
}

class Failure {
  readonly error: unknown;
  readonly reason: string;
  /** It was asked, and the answer is the end of it. */
  readonly is_final: boolean;
  constructor(error: unknown) {
    this.error = error;
    this.reason = messageOf(error);
    this.is_final = PairwrightError.is(error) && error.exit_code === EXIT.training_failed;
  }
}

async function asked<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T | Failure> {
  try {
    return await ask();
  } catch (error) {
    if (signal.aborted || !PairwrightError.is(error)) throw error;
    return new Failure(error);
  }
}

function failureCount({ polling }: TrainingBackend, log: Logger) {
  const most = polling.max_consecutive_status_failures;
  let failures = 0;
  return {
    none() {
      failures = 0;
    },
    tooMany(what: string, reason: string): boolean {
      failures += 1;
      log.warn(`${what}: status check ${failures} of ${most} failed: ${reason}`);
      return failures >= most;
    },
  };
}

function statusUnknown(where: string, what: "job" | "deployment", reason: string): PairwrightError {
  return new PairwrightError({
    code: `${what}_status_unknown`,
    where,
    what: `its state is unknown, neither running nor done; the last status check: ${reason}`,
    fix: "it may well go on there; look again later: pairwright jobs wait, or finetune --resume",
    exit_code: EXIT.unreachable,
  });
}

function deploymentFailed(name: string, last: string): PairwrightError {
  return new PairwrightError({
    code: "deployment_failed",
    where: `deployment ${name}`,
    what: `it failed; its last state is ${last}`,
    fix: "see the deployment's log, and whether image, GPUs and model fit together",
    exit_code: EXIT.training_failed,
  });
}

function deploymentTimeout(name: string, seconds: number, last: string): PairwrightError {
  return new PairwrightError({
    code: "deployment_timeout",
    where: `deployment ${name}`,
    what: `deployment did not become ready within ${seconds} s; its last state is ${last}`,
    fix: "raise deployment_timeout_seconds and go on with --resume; or see the deployment's log, and whether GPUs are free",
    exit_code: EXIT.training_failed,
  });
}
