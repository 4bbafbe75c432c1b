import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TrainingEvent, TrainingJob, TrainingResult } from "../../engine/train/training-job.ts";
import { checkedJob } from "../../engine/train/training-job.ts";
import type { ProcessOptions } from "../../engine/train/training-process.ts";
import { FACTS_FILE, METRICS_FILE } from "../../engine/train/write-trained.ts";
import { systemClock } from "../../lib/clock.ts";
import { codeOf, PairwrightError, usageError } from "../../lib/errors.ts";
import { isFile, writeFileWhole } from "../../lib/files.ts";
import type { JobParts } from "./create-job.ts";
import { modelFolder } from "./model-folders.ts";
import { originOf, type PreparedDataset, prepareDataset } from "./prepare-dataset.ts";
import { publishModel } from "./publish-model.ts";
import type { StoredJob } from "./stored.ts";

/** Trains a model folder in another process, as `trainInProcess` does. */
export type Train = (job: TrainingJob, options: ProcessOptions) => Promise<TrainingResult>;

export interface RunJobOptions {
  parts: JobParts;
  train: Train;
  /** Where everything lies that the job needs until its end. */
  work_dir: string;
  /** Aborted: the step that runs ends, and a checkpoint is left. */
  drain: AbortSignal;
  /** Aborted: at once. */
  kill: AbortSignal;
  /** What there is to tell. */
  on_event(event: TrainingEvent | { event: "prepared"; dataset: PreparedDataset }): void;
}

/** A process that was left behind by a killed platform still makes its last step; such a step may be long. */
const WAIT_FOR_OTHER_MS = 10 * 60_000;

/**
 * From a job to its model in the Datastore. Whatever was done before is not done again: the checked rows, the steps up to
 * the newest checkpoint, the trained folder. Errors: those of the data set, of the engine, and `model_gone`.
 */
export async function runJob(job: StoredJob, options: RunJobOptions): Promise<TrainingResult> {
  const { parts, work_dir, drain, kill } = options;
  const output = join(work_dir, "output");
  const dataset = join(work_dir, "dataset");
  const prepared = await preparedOnce(job, dataset, options);
  drain.throwIfAborted();
  const result = await trained(job, { ...options, dataset, output, prepared });
  kill.throwIfAborted();
  await publishModel(job, { output, work_dir, result, datastore: parts.datastore });
  return result;
}

async function preparedOnce(
  { _plan }: StoredJob,
  dir: string,
  { parts, drain, kill, on_event }: RunJobOptions,
): Promise<PreparedDataset> {
  const path = `${dir}.json`;
  if (await isFile(path)) return JSON.parse(await readFile(path, "utf8")) as PreparedDataset;
  const prepared = await prepareDataset(_plan, parts.datastore, { dir, signal: AbortSignal.any([drain, kill]) });
  await writeFileWhole(path, JSON.stringify(prepared));
  on_event({ event: "prepared", dataset: prepared });
  return prepared;
}

/** What a training that was done when the platform was killed came to. */
async function earlierResult(output: string): Promise<TrainingResult | undefined> {
  const path = join(output, FACTS_FILE);
  if (!(await isFile(path))) return undefined;
  return (JSON.parse(await readFile(path, "utf8")) as { result: TrainingResult }).result;
}

interface Training extends RunJobOptions {
  dataset: string;
  output: string;
  prepared: PreparedDataset;
}

async function trained(job: StoredJob, options: Training): Promise<TrainingResult> {
  const { train, drain, kill, on_event, output } = options;
  const until = performance.now() + WAIT_FOR_OTHER_MS;
  for (;;) {
    const earlier = await earlierResult(output);
    if (earlier !== undefined) return earlier;
    try {
      const training = await trainingJob(job, options);
      // Nobody would be told of an abort that has been.
      kill.throwIfAborted();
      return await train(training, { signal: drain, kill, on_event });
    } catch (error) {
      // The process of a killed platform still works on it, or has just come to its end.
      const is_other = codeOf(error) === "locked" || (await earlierResult(output)) !== undefined;
      if (!is_other || performance.now() > until) throw await inClientsWords(error, job, options);
    }
    await systemClock.sleep(200, AbortSignal.any([drain, kill]));
  }
}

async function trainingJob(
  job: StoredJob,
  { parts, work_dir, dataset, output, prepared }: Training,
): Promise<TrainingJob> {
  const { _plan: plan } = job;
  const target = parts.store.targets.get(plan.target);
  if (target?.status !== "ready") throw targetGone(job);
  const folderOf = (name: string | null, dir: string) =>
    name === null ? null : modelFolder(name, join(work_dir, dir), parts);
  const model = (await folderOf(plan.start_from, "start_from")) ?? target.model_path;
  return checkedJob({
    model,
    dataset,
    output,
    reference_model: await folderOf(plan.reference_model, "reference_model"),
    optimizer_from: await folderOf(plan.optimizer_from, "optimizer_from"),
    save_optimizer: plan.save_optimizer,
    resume: true,
    options: { ...plan.options, ...validating(plan, prepared) },
  });
}

/** The service stops when the loss has not fallen for ten epochs, and its model is the best one on the way. */
const PATIENT_EPOCHS = 10;

function validating({ options, val_check_interval, stop_early }: StoredJob["_plan"], prepared: PreparedDataset) {
  const per_epoch = Math.ceil(prepared.training_rows / (options.batch_size * options.gradient_accumulation_steps));
  const interval = val_check_interval ?? 1;
  const every = interval > 1 ? Math.round(interval) : Math.max(1, Math.floor(interval * per_epoch));
  const validation_every = every >= per_epoch ? null : every;
  const validations = validation_every === null ? 1 : Math.floor(per_epoch / validation_every);
  const has_rows = prepared.validation_rows > 0;
  return {
    validation_every,
    early_stopping_patience: stop_early
      ? has_rows
        ? PATIENT_EPOCHS * validations
        : null
      : options.early_stopping_patience,
  };
}

/** The engine names lines of the prepared files; a client knows its own. */
async function inClientsWords(
  error: unknown,
  { _plan }: StoredJob,
  { parts, dataset, prepared }: Training,
): Promise<unknown> {
  if (!PairwrightError.is(error) || !error.where?.startsWith(dataset)) return error;
  const [, file, line] = /(training|validation)_file\.jsonl:(\d+)$/.exec(error.where) ?? [];
  if (file !== "training" && file !== "validation") return error;
  const place = await originOf({ file, line: Number(line) }, _plan, parts.datastore, prepared).catch(() => undefined);
  const { code, fix, exit_code } = error;
  const what = error.what.replaceAll(`${error.where}: `, "");
  return new PairwrightError({ code, where: place ?? `${file} row ${line}`, what, fix, exit_code, cause: error });
}

function targetGone({ _plan: { target } }: StoredJob): PairwrightError {
  return usageError({
    code: "model_gone",
    where: `${target.namespace}/${target.name}`,
    what: "the job's target is not there any more, or not ready",
    fix: "start the platform with its folder in --models, and make the job again",
  });
}

/** The steps and validations of a job that is trained, until its work is forgotten. */
export function metricsOf(work_dir: string): string {
  return join(work_dir, "output", METRICS_FILE);
}

/** Removes what a job needed until its end. */
export async function forgetWork(work_dir: string): Promise<void> {
  await rm(work_dir, { recursive: true, force: true });
}
