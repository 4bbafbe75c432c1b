import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { codeOf, EXIT, PairwrightError, usageError } from "../../lib/errors.ts";
import { takeLock } from "../../lib/lock.ts";
import { readModelFolder } from "../weights/model-folder.ts";
import { writeError } from "../weights/weights-error.ts";
import { findCheckpoint } from "./checkpoint.ts";
import { displacementWarning } from "./displacement.ts";
import { type LoadedData, loadTrainingData } from "./load-training-data.ts";
import { openMetricsFile } from "./metrics-file.ts";
import { prepareRun } from "./prepare-run.ts";
import { runTraining, type TrainingOutcome, type TrainingRecord, type TrainingRun } from "./run-training.ts";
import {
  checkedJob,
  type GivenJob,
  type TrainingEvent,
  type TrainingJob,
  type TrainingResult,
} from "./training-job.ts";
import { FACTS_FILE, METRICS_FILE, writeTrained } from "./write-trained.ts";

export interface TrainModelOptions {
  signal?: AbortSignal | undefined;
  on_event?: ((event: TrainingEvent) => void) | undefined;
  clock?: Pick<Clock, "now"> | undefined;
  /** Bytes that the job may take; what is free now unless told. */
  available_memory?: number | undefined;
}

/**
 * Trains a model folder on a data set, in this process, and writes the trained model. What is needed to go on after a kill
 * lies in `OUTPUT.training` until then. Errors: everything that is wrong with model, data set or options, before a step is
 * made (exit code 2); `loss_not_finite` (5); `training_cancelled` (130), which leaves a checkpoint.
 */
export async function trainModel(given: GivenJob, options: TrainModelOptions = {}): Promise<TrainingResult> {
  const job = checkedJob(given);
  const { signal = new AbortController().signal, on_event = () => undefined, clock = performance } = options;
  const available_memory = options.available_memory ?? process.availableMemory();
  const began = clock.now();
  const work_dir = `${resolve(job.output)}.training`;
  await refuseOutput(job);
  await makeWorkDir(work_dir);
  await using _lock = await takeLock(join(work_dir, "lock"));
  await removeHalfWritten(job.output, work_dir);
  await refuseUnfinished(job, work_dir);

  on_event({ event: "stage", stage: "reading", detail: `${job.model} and ${job.dataset}` });
  const model = await readModelFolder(job.model);
  const loaded = await loadTrainingData(job, model.config, on_event);
  const now = () => clock.now();
  const run = await prepareRun(job, model, loaded, { signal, on_event, available_memory, work_dir, now }).catch(
    (error: unknown) => {
      throw signal.aborted && error === signal.reason ? cancelled(job, "before the first step") : error;
    },
  );
  // Not before everything is known to be right: a fault must not cost an earlier job its work.
  if (!job.resume) await forgetCheckpoints(work_dir);
  const metrics_file = join(work_dir, METRICS_FILE);
  const { outcome, told } = await recorded(run, { metrics_file, signal, on_event });
  try {
    const displaced = displacementWarning(told.last);
    if (displaced !== null) on_event({ event: "warning", message: displaced });
    if (outcome.ended === "cancelled") throw cancelled(job, `after step ${outcome.state.step} of ${outcome.steps}`);
    on_event({ event: "stage", stage: "writing", detail: job.output });
    const result = resultOf(job, outcome, loaded, told, (clock.now() - began) / 1000);
    await writeTrained(job, { model, outcome, run, metrics_file, result });
    await rm(work_dir, { recursive: true, force: true });
    return result;
  } finally {
    await outcome.learner.release();
  }
}

/** Nothing but what an earlier job wrote is ever replaced, and no folder that holds what this job reads or works in. */
async function refuseOutput(job: TrainingJob): Promise<void> {
  const { output, overwrite } = job;
  const names = await readdir(output).catch((error: unknown): string[] => {
    if (codeOf(error) === "ENOENT") return [];
    throw writeError(output, error);
  });
  if (names.length === 0) return;
  const whole = `${resolve(output)}${sep}`;
  const needed = [job.model, job.dataset, job.reference_model, job.optimizer_from, "."];
  const holds = needed.find((path) => path !== null && `${resolve(path)}${sep}`.startsWith(whole));
  if (overwrite && names.includes(FACTS_FILE) && holds === undefined) return;
  throw usageError({
    code: "output_not_empty",
    where: output,
    what:
      overwrite && holds !== undefined
        ? `the output folder is or holds ${holds === "." ? "the folder you work in" : holds}, which this job needs`
        : `the output folder is there, with something in it${overwrite ? ` that no training wrote (it has no ${FACTS_FILE})` : ""}`,
    fix:
      names.includes(FACTS_FILE) && holds === undefined
        ? "name another folder, or give --overwrite"
        : "name another folder",
  });
}

/** An earlier job's checkpoints are somebody's work: they go when that is asked for, not by a flag that was forgotten. */
async function refuseUnfinished({ output, resume, overwrite }: TrainingJob, work_dir: string): Promise<void> {
  if (resume || overwrite) return;
  const checkpoint = (await readdir(work_dir)).find((name) => name.startsWith("checkpoint-"));
  if (checkpoint === undefined) return;
  throw usageError({
    code: "unfinished_job",
    where: join(`${output}.training`, checkpoint),
    what: "a job for this output was stopped before its end",
    fix: "give --resume to go on with it, or --overwrite to begin anew without it",
  });
}

async function makeWorkDir(work_dir: string): Promise<void> {
  try {
    await mkdir(work_dir, { recursive: true });
  } catch (error) {
    throw writeError(work_dir, error);
  }
}

/** What a killed job had not written to its end, beside its output and in its own folder. The lock says that nobody writes. */
async function removeHalfWritten(output: string, work_dir: string): Promise<void> {
  const [parent, name] = [dirname(resolve(output)), basename(resolve(output))];
  const isOurs = (file: string) =>
    file.startsWith(`.${name}.`) && /^[0-9a-f]{8}\.partial$/.test(file.slice(name.length + 2));
  const found = [
    ...(await readdir(parent)).filter(isOurs).map((file) => join(parent, file)),
    ...(await readdir(work_dir)).filter((file) => file.endsWith(".partial")).map((file) => join(work_dir, file)),
  ];
  for (const path of found) await rm(path, { recursive: true, force: true });
}

async function forgetCheckpoints(work_dir: string): Promise<void> {
  for (const name of await readdir(work_dir)) {
    if (name.startsWith("checkpoint-") || name === METRICS_FILE) {
      await rm(join(work_dir, name), { recursive: true, force: true });
    }
  }
}

/** Trains, with every step and validation written down. */
async function recorded(
  run: TrainingRun,
  { metrics_file, signal, on_event }: { metrics_file: string } & Listening,
): Promise<{ outcome: TrainingOutcome; told: Told }> {
  const told: Told = { last: [], tokens: 0, seconds: 0, validation: undefined };
  const resumed = run.checkpoints && (await findCheckpoint(run.checkpoints.dir, run.checkpoints.fingerprint));
  await using metrics = await openMetricsFile(metrics_file, resumed?.state.step ?? 0);
  on_event({ event: "stage", stage: "training", detail: resumed ? `from step ${resumed.state.step} on` : "" });
  const outcome = await runTraining(run, {
    signal,
    record(record, steps) {
      note(told, record);
      metrics.append(record);
      on_event({ event: "record", record, steps });
    },
  });
  await metrics.flush();
  return { outcome, told };
}

/** What is remembered of a job's steps: as much after a million as after a hundred. */
interface Told {
  last: TrainingRecord[];
  tokens: number;
  seconds: number;
  /** The loss of the newest validation. */
  validation: number | undefined;
}

const REMEMBERED = 20;

function note(told: Told, record: TrainingRecord): void {
  const { loss, eval_loss, tokens = 0, tokens_per_second = 1 } = record;
  told.validation = eval_loss ?? told.validation;
  if (loss === undefined) return;
  told.last.push(record);
  if (told.last.length > REMEMBERED) told.last.shift();
  told.tokens += tokens;
  told.seconds += tokens / tokens_per_second;
}

interface Listening {
  signal: AbortSignal;
  on_event: (event: TrainingEvent) => void;
}

function cancelled(job: TrainingJob, when: string): PairwrightError {
  return new PairwrightError({
    code: "training_cancelled",
    where: job.output,
    what: `stopped ${when}; nothing is lost`,
    fix: "give the same command with --resume to go on",
    exit_code: EXIT.interrupted,
  });
}

function resultOf(
  job: TrainingJob,
  { state, ended }: TrainingOutcome,
  { rows, skipped }: LoadedData,
  told: Told,
  seconds: number,
): TrainingResult {
  const { step: _step, epoch: _epoch, loss: _loss, ...metrics } = told.last.at(-1) ?? { step: 0, epoch: 0 };
  return {
    model: job.output,
    ended: ended === "stopped_early" ? ended : "finished",
    steps: state.step,
    loss: { first: state.first_loss ?? Number.NaN, last: state.last_loss ?? Number.NaN },
    // Of the weights that are written: the best ones only where validation chose them.
    validation_loss:
      job.options.early_stopping_patience === null ? (told.validation ?? null) : state.best_validation_loss,
    tokens_per_s: told.seconds === 0 ? 0 : told.tokens / told.seconds,
    seconds,
    rows,
    skipped,
    metrics,
  };
}
