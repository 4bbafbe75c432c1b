import { mkdir, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { codeOf, EXIT, PairwrightError, usageError } from "../../lib/errors.ts";
import { takeLock } from "../../lib/lock.ts";
import { readModelFolder } from "../weights/model-folder.ts";
import { loadCheckpoint } from "./checkpoint.ts";
import { displacementWarning } from "./displacement.ts";
import { type LoadedData, loadTrainingData } from "./load-training-data.ts";
import { openMetricsFile } from "./metrics-file.ts";
import { prepareRun } from "./prepare-run.ts";
import { runTraining, type TrainingOutcome, type TrainingRecord, type TrainingRun } from "./run-training.ts";
import type { TrainingEvent, TrainingJob, TrainingResult } from "./training-job.ts";
import { METRICS_FILE, writeTrained } from "./write-trained.ts";

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
export async function trainModel(job: TrainingJob, options: TrainModelOptions = {}): Promise<TrainingResult> {
  const { signal = new AbortController().signal, on_event = () => undefined, clock = performance } = options;
  const available_memory = options.available_memory ?? process.availableMemory();
  const began = clock.now();
  const work_dir = `${resolve(job.output)}.training`;
  await refuseOutput(job);
  await mkdir(work_dir, { recursive: true });
  await using _lock = await takeLock(join(work_dir, "lock"));
  if (!job.resume) await forgetCheckpoints(work_dir);

  on_event({ event: "stage", stage: "reading", detail: `${job.model} and ${job.dataset}` });
  const model = await readModelFolder(job.model);
  const loaded = await loadTrainingData(job, model.config, on_event);
  const run = await prepareRun(job, model, loaded, {
    signal,
    on_event,
    available_memory,
    work_dir,
    now: () => clock.now(),
  });
  const metrics_file = join(work_dir, METRICS_FILE);
  const { outcome, records } = await recorded(run, { metrics_file, signal, on_event });
  try {
    const displaced = displacementWarning(records);
    if (displaced !== null) on_event({ event: "warning", message: displaced });
    if (outcome.ended === "cancelled") throw cancelled(job, `after step ${outcome.state.step} of ${outcome.steps}`);
    on_event({ event: "stage", stage: "writing", detail: job.output });
    const result = resultOf(job, outcome, loaded, records, (clock.now() - began) / 1000);
    await writeTrained(job, { model, outcome, run, metrics_file, result });
    await rm(work_dir, { recursive: true, force: true });
    return result;
  } finally {
    await outcome.learner.release();
  }
}

async function refuseOutput({ output, overwrite }: TrainingJob): Promise<void> {
  const names = await readdir(output).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  if (names.length === 0 || overwrite) return;
  throw usageError({
    code: "output_not_empty",
    where: output,
    what: "the output folder is there, with something in it",
    fix: "name another folder, or give --overwrite",
  });
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
): Promise<{ outcome: TrainingOutcome; records: TrainingRecord[] }> {
  const records: TrainingRecord[] = [];
  const resumed = run.checkpoints && (await loadCheckpoint(run.checkpoints.dir, run.checkpoints.fingerprint));
  await using metrics = await openMetricsFile(metrics_file, resumed?.state.step ?? 0);
  on_event({ event: "stage", stage: "training", detail: resumed ? `from step ${resumed.state.step} on` : "" });
  const outcome = await runTraining(run, {
    signal,
    record(record, steps) {
      records.push(record);
      metrics.append(record);
      on_event({ event: "record", record, steps });
    },
  });
  return { outcome, records };
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
  records: readonly TrainingRecord[],
  seconds: number,
): TrainingResult {
  const steps = records.filter(({ loss }) => loss !== undefined);
  const sum = (of: (record: TrainingRecord) => number) => steps.reduce((total, record) => total + of(record), 0);
  const spent = sum(({ tokens = 0, tokens_per_second = 1 }) => tokens / tokens_per_second);
  const { step: _step, epoch: _epoch, loss: _loss, ...metrics } = steps.at(-1) ?? { step: 0, epoch: 0 };
  return {
    model: job.output,
    ended: ended === "stopped_early" ? ended : "finished",
    steps: state.step,
    loss: { first: state.first_loss ?? Number.NaN, last: state.last_loss ?? Number.NaN },
    validation_loss: state.best_validation_loss,
    tokens_per_s: spent === 0 ? 0 : sum(({ tokens = 0 }) => tokens) / spent,
    seconds,
    rows,
    skipped,
    metrics,
  };
}
