import type { Clock } from "../../lib/clock.ts";
import { EXIT, PairwrightError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { JobRecord } from "../../records/job.ts";
import type { JobStatus, TrainingBackend, TrainingFiles } from "../../registry/training-backend.ts";
import type { Stage, StageTimes } from "../stage-times.ts";
import type { JobFile } from "./job-file.ts";
import { waitForDeployment, waitForJob } from "./wait-for-job.ts";

export interface TrainOptions {
  backend: TrainingBackend;
  /** False: submit, and come back. */
  wait: boolean;
  clock: Clock;
  /** Ends the waiting, after the step under way. */
  drain: AbortSignal;
  /** Ends requests under way, too. */
  stop: AbortSignal;
  log: Logger;
  times?: StageTimes | undefined;
  onStatus?: ((status: JobStatus) => void) | undefined;
}

/**
 * `submit -> wait -> deploy -> wait`, from wherever `job` stands. What happened is in `job.record` when this returns or
 * throws. A job that failed, was cancelled or left no model is an error with exit 5, see `jobFault`.
 */
export async function train(files: TrainingFiles, job: JobFile, options: TrainOptions): Promise<void> {
  const { backend, stop, log } = options;
  if (job.record.id === null) {
    if (files.training.rows === 0) throw noRows();
    const submit = () => backend.submit(files, job.steps(stop, log));
    const { id } = await timed(options, "upload", submit);
    await job.update({ id, status: "pending" });
  }
  if (!options.wait) return;
  if (job.record.status !== "completed" || job.record.model === null) {
    await timed(options, "train", () => finishJob(job, options));
  }
  const fault = jobFault(job.record);
  if (fault) throw fault;
  if (backend.deploy_on_completion) await timed(options, "deploy", () => deployModel(job, options));
}

function timed<T>({ times }: Pick<TrainOptions, "times">, stage: Stage, work: () => Promise<T>): Promise<T> {
  return times ? times.time(stage, work) : work();
}

async function finishJob(job: JobFile, { backend, clock, drain, stop, log, onStatus }: TrainOptions): Promise<void> {
  const id = job.record.id ?? "";
  let said = "";
  try {
    await waitForJob(
      backend,
      id,
      async (status) => {
        onStatus?.(status);
        const line = describe(status);
        if (line === said) return;
        said = line;
        log.info(`job ${id}: ${line}`);
        await job.update(known(status));
      },
      { clock, signal: AbortSignal.any([drain, stop]), log },
    );
  } catch (error) {
    if (PairwrightError.is(error) && error.code === "job_status_unknown") {
      await job.update({ status: "unknown", message: error.what });
    }
    throw error;
  }
}

function noRows(): PairwrightError {
  return new PairwrightError({
    code: "no_training_rows",
    where: "dataset/training_file.jsonl",
    what: "there are pairs, and no row to train on",
    fix: "lower split.validation; or see unwritable_row above: these pairs do not fit the rows of this backend",
    exit_code: EXIT.no_pairs,
  });
}

/** What is known of a deployment after such an error. */
const AFTER: Record<string, "unknown" | "failed"> = {
  deployment_status_unknown: "unknown",
  deployment_gone: "failed",
};

/** Deploys the model of a job that is completed and waits until it is ready, unless it is. Errors: those of deployments. */
export async function deployModel(job: JobFile, options: Omit<TrainOptions, "wait">): Promise<void> {
  const { backend, clock, drain, stop, log } = options;
  if (job.record.deployment?.status === "ready") return;
  drain.throwIfAborted();
  if (["failed", "deleted"].includes(job.record.deployment?.status ?? "")) {
    // Somebody may have mended or removed what failed; what was deleted is needed again.
    const { deployment: _, ...steps } = job.record.steps;
    await job.update({ steps, deployment: null });
  }
  const { name } = await backend.deploy(job.record.model ?? "", job.steps(stop, log));
  let said = "";
  try {
    await waitForDeployment(
      backend,
      name,
      async (status) => {
        const line = [status.backend_status, status.message].filter(Boolean).join(": ");
        if (line === said) return;
        said = line;
        log.info(`deployment ${status.name}: ${line}`);
        await job.update({ deployment: status });
      },
      { clock, signal: AbortSignal.any([drain, stop]), log },
    );
  } catch (error) {
    const last = job.record.deployment ?? { name, backend_status: null, message: null };
    const status = PairwrightError.is(error) ? AFTER[error.code] : undefined;
    if (status !== undefined) await job.update({ deployment: { ...last, status } });
    throw error;
  }
}

function describe({ backend_status, progress, message }: JobStatus): string {
  const percent = progress === null ? "" : `, ${progress.toFixed(1)} %`;
  return `${backend_status}${percent}${message === null ? "" : ` (${message})`}`;
}

function known({ details, chosen_reward = null, ...status }: JobStatus): Partial<JobRecord> {
  const { id: _, ...rest } = status;
  return { ...rest, chosen_reward, details: details as JobRecord["details"] };
}

/** In the words of CUDA, of the real service, and of the embedded platform, which tells it before it begins. */
const NO_MEMORY = /out of memory|\bOOM\b|NotEnoughResources|needs about .* of memory and .* are free/i;

/** The error of a job that ended without a model; undefined for any other. */
export function jobFault({
  status,
  id,
  model,
  message,
  progress,
}: Pick<JobStatus, "model" | "message" | "progress"> & { id: string | null; status: string }):
  | PairwrightError
  | undefined {
  const where = `job ${id}`;
  const at = progress === null ? "" : ` at ${progress.toFixed(1)} %`;
  const said = message === null ? "" : `: ${message}`;
  const fault = (code: string, what: string, fix: string) =>
    new PairwrightError({ code, where, what, fix, exit_code: EXIT.training_failed });
  if (status === "cancelled") {
    return fault("training_cancelled", `the training job was cancelled${at}${said}`, "--resume submits it once more");
  }
  if (status === "failed" && NO_MEMORY.test(message ?? "")) {
    return fault(
      "training_out_of_memory",
      `the training job had not enough memory or GPUs${said}`,
      "lower hyperparameters.batch_size, or set hyperparameters.finetuning_type: lora, and go on with --resume",
    );
  }
  if (status === "failed") {
    return fault(
      "training_failed",
      `the customization job failed${at}${said}`,
      "see `pairwright jobs logs` and status_details in job.json; check customization_config, GPUs and dataset/training_file.jsonl; --resume submits it once more",
    );
  }
  if (status === "completed" && model === null) {
    return fault(
      "no_output_model",
      "the job is completed, but names no output model: there is nothing to deploy",
      "--resume asks once more; else look for the model in the platform's list, for the job may have saved none: a run without --resume trains anew",
    );
  }
  return undefined;
}
