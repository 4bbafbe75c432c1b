import type { Clock } from "../../lib/clock.ts";
import { messageOf, PairwrightError } from "../../lib/errors.ts";
import { isFile } from "../../lib/files.ts";
import { scrubbedLogger, scrubber } from "../../lib/scrub.ts";
import type { JobRecord } from "../../records/job.ts";
import type { Gate } from "../../records/manifest.ts";
import type { TrainingFiles } from "../../registry/training-backend.ts";
import type { TrainingParts } from "../assemble-training.ts";
import type { CollectResult } from "../collect.ts";
import { completedAt } from "../evaluate.ts";
import type { RunFolder } from "../run-folder.ts";
import type { RunOptions } from "../run-options.ts";
import type { StageTimes, Timing } from "../stage-times.ts";
import { writeFinalMetrics } from "./final-metrics.ts";
import { createJobFile, type JobFile, openJobFile } from "./job-file.ts";
import { gateOf, type Judged } from "./measuring.ts";
import { noDatasetFiles, storedResult } from "./stored-result.ts";
import { train } from "./train.ts";

/** What bringing a job to its end needs. */
export interface TrainingOptions extends Pick<RunOptions, "drain" | "stop" | "log" | "now"> {
  training: TrainingParts;
  /** The same with deployments of their own names, for runs with a gate; absent: `training` has such names itself. */
  candidate?: TrainingParts | undefined;
  /** False: submit the job, and let another command wait for it. */
  wait: boolean;
  /** Submits another job with the same data where the last one ended without a model. */
  try_again: boolean;
  clock: Clock;
  /** Measuring comes after it: the run is not over when the job is. */
  measures?: boolean;
  /** A few characters that no other run has: names at a backend are shared with other machines. */
  nonce: string;
  /** Hears where the time goes. */
  times?: StageTimes | undefined;
}

export interface FinetuneResult extends CollectResult, Partial<Judged> {
  /** Absent when nothing was submitted. */
  job?: JobRecord;
  /** Why there is no model, where that is so. */
  fault?: PairwrightError;
  /** What hangs on the verdict. */
  gate?: Gate;
  /** Where the command's time went, from its start. */
  timing?: Timing;
}

/** Goes on with the training of a folder that is open, and closes it. */
export async function goOn(folder: RunFolder, options: TrainingOptions): Promise<FinetuneResult> {
  options.log.info(`going on with the training of run ${folder.manifest.run_id}`);
  try {
    const measures = folder.manifest.plan !== undefined;
    const training = trainingFor(gateOf(folder.manifest, undefined), options);
    const trained = await trainIn(folder, await storedResult(folder), { ...options, training, measures });
    if (measures && options.wait && !trained.fault) options.log.info("finetune --resume measures the model");
    return trained;
  } finally {
    await folder.close();
  }
}

/** Brings the job of this folder to its end, or as far as was asked. */
export async function trainIn(
  folder: RunFolder,
  result: CollectResult,
  options: TrainingOptions,
): Promise<FinetuneResult> {
  const { training, clock, drain, stop, log } = options;
  const scrub = scrubber(training.secrets);
  const job = await jobOf(folder, options);
  const files = {
    training: { path: folder.path("dataset/training_file.jsonl"), rows: result.pairs?.training ?? 0 },
    validation: { path: folder.path("dataset/validation_file.jsonl"), rows: result.pairs?.validation ?? 0 },
  };
  await refuseMissing(files.training, job.record);
  const { backend } = training;
  try {
    const { wait, times } = options;
    await train(files, job, { backend, wait, clock, drain, stop, log: scrubbedLogger(log, scrub), times });
    await writeFinalMetrics(folder, job.record);
    // Who did not wait can go on later: with this run, or with `jobs wait`.
    const is_over = options.wait && !options.measures;
    await folder.update(is_over ? completedAt(options) : { status: "interrupted" });
    return { ...result, job: job.record };
  } catch (error) {
    await folder.update({ status: "interrupted" }).catch(() => undefined);
    if (drain.aborted || stop.aborted) return { ...result, job: job.record, stopped: "drained" };
    if (!PairwrightError.is(error)) throw error;
    await writeFinalMetrics(folder, job.record);
    return { ...result, job: job.record, fault: error };
  }
}

/** A job that was submitted has its rows; one that is yet to be needs them here. */
async function refuseMissing({ path, rows }: TrainingFiles["training"], { id }: JobRecord): Promise<void> {
  if (id === null && rows > 0 && !(await isFile(path))) throw noDatasetFiles(path);
}

/**
 * The job of this folder; another attempt with the same data where the last one failed or was cancelled. One that is
 * completed without a model is asked again: a platform may name it late, and a second job would cost as much as the first.
 */
async function jobOf(folder: RunFolder, { training, clock, nonce, log, try_again }: TrainingOptions): Promise<JobFile> {
  const { run_id } = folder.manifest;
  const { trainer_adapter, type, backend, secrets } = training;
  const options = { clock, scrub: scrubber(secrets) };
  const there = await openJobFile(folder.dir, options);
  const is_over = there !== undefined && ["failed", "cancelled"].includes(there.record.status);
  if (there !== undefined && !(try_again && is_over)) return there;
  const stem = `${run_id.toLowerCase()}-${nonce}`;
  const job = { run_id, tag: stem, trainer_adapter, type, place: backend.place };
  if (there === undefined) return createJobFile(folder.dir, job, [], options);
  const { tag, id, status, message, earlier } = there.record;
  log.info(`job ${id} has ${status}: submitting another one with the same data`);
  return createJobFile(folder.dir, job, [...earlier, { tag, id, status, message }], options);
}

/** With a gate, a model has yet to show that it is better when it is deployed. */
export function trainingFor(
  gate: Gate,
  { training, candidate }: Pick<TrainingOptions, "training" | "candidate">,
): TrainingParts {
  return gate === "off" ? training : (candidate ?? training);
}

/** What happened to a training, in one line. */
export function describeJob({ id, status, progress, model, deployment, message }: JobRecord): string {
  const percent = progress === null || status === "completed" ? "" : ` at ${progress.toFixed(1)} %`;
  return [
    `training job: ${id ?? "not submitted"}, ${status}${percent}${message === null ? "" : ` (${messageOf(message)})`}`,
    ...(model === null ? [] : [`model: ${model}`]),
    ...(deployment === null ? [] : [`deployment: ${deployment.name}, ${deployment.status}`]),
  ].join("\n");
}
