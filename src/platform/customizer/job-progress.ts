import type { TrainingResult } from "../../engine/train/training-job.ts";
import type { JobStatus, MetricPoint, StatusDetails } from "../../training/wire/customizer.ts";
import type { StoredJob } from "./stored.ts";

/** Points of a curve that are kept: beyond it every second one goes, and the curve keeps its shape. */
const MOST_POINTS = 2000;

const CURVES = {
  train_loss: "loss",
  val_loss: "eval_loss",
  train_accuracy: "rewards/accuracies",
  val_accuracy: "eval_rewards/accuracies",
} as const;

/** Of this one the last steps are kept, every one of them: they tell how a training ended (see `displacement.ts` of the engine). */
const AT_THE_END = { curve: "train_chosen_reward", name: "rewards/chosen", points: 20 } as const;

export const NO_CURVES: StatusDetails["metrics"] = {
  keys: ["train_loss", "val_loss"],
  metrics: { train_loss: [], val_loss: [] },
};

export function firstStatus(at: string): StatusDetails {
  return {
    created_at: at,
    updated_at: at,
    status: "created",
    elapsed_time: 0,
    steps_completed: 0,
    steps_per_epoch: null,
    epochs_completed: 0,
    percentage_done: 0,
    best_epoch: null,
    train_loss: null,
    val_loss: null,
    metrics: NO_CURVES,
    status_logs: [{ updated_at: at, message: "created" }],
  };
}

/** A line of the engine's metrics, and how many steps the job has. */
export interface ProgressRecord {
  record: Readonly<Record<string, number>>;
  steps: number;
  at: string;
}

/** The job after one more step, or one more validation. */
export function withRecord(job: StoredJob, { record, steps, at }: ProgressRecord): StoredJob {
  const { step = 0, epoch = 0 } = record;
  const { status_details: before } = job;
  const steps_per_epoch = epoch > 0 ? Math.max(1, Math.round(step / epoch)) : null;
  const details: StatusDetails = {
    ...before,
    updated_at: at,
    steps_completed: step,
    steps_per_epoch,
    epochs_completed: steps_per_epoch === null ? 0 : Math.floor(step / steps_per_epoch),
    percentage_done: (100 * step) / steps,
    metrics: withPoints(before.metrics, record, { at, every: job._plan.log_every_n_steps }),
  };
  return { ...job, updated_at: at, status_details: details };
}

type Metrics = StatusDetails["metrics"];

function withPoints(
  metrics: Metrics,
  record: ProgressRecord["record"],
  { at, every }: { at: string; every: number },
): Metrics {
  const { step = 0 } = record;
  let changed = metrics.metrics;
  for (const [curve, name] of Object.entries(CURVES)) {
    const value = record[name];
    const is_due = name.startsWith("eval_") || step % every === 0;
    if (value === undefined || !is_due) continue;
    changed = { ...changed, [curve]: withPoint(changed[curve] ?? [], { step: step - 1, value, timestamp: at }) };
  }
  const { curve, name, points } = AT_THE_END;
  const value = record[name];
  if (value !== undefined) {
    const last = withPoint(changed[curve] ?? [], { step: step - 1, value, timestamp: at }).slice(-points);
    changed = { ...changed, [curve]: last };
  }
  return changed === metrics.metrics ? metrics : { keys: Object.keys(changed), metrics: changed };
}

/** What a job that goes on from an earlier step does again takes the place of what it did before. */
function withPoint(points: readonly MetricPoint[], point: MetricPoint): MetricPoint[] {
  const last = points.at(-1)?.step ?? -1;
  const kept = last < point.step ? points : points.filter(({ step }) => step < point.step);
  const thinned = kept.length < MOST_POINTS ? kept : kept.filter((_, index) => index % 2 === 0);
  return [...thinned, point];
}

/**
 * The job with the curves that the engine wrote down: a platform that was killed has not heard of every step. Points that
 * are known keep their time.
 */
export async function withCurves(
  job: StoredJob,
  records: AsyncIterable<ProgressRecord["record"]>,
  at: string,
): Promise<StoredJob> {
  const { status_details: details, _plan } = job;
  const known = Object.values(details.metrics.metrics).flat();
  const times = new Map(known.map(({ step, timestamp }) => [step, timestamp]));
  let metrics = NO_CURVES;
  for await (const record of records) {
    const time = times.get((record.step ?? 0) - 1) ?? at;
    metrics = withPoints(metrics, record, { at: time, every: _plan.log_every_n_steps });
  }
  return { ...job, status_details: { ...details, metrics } };
}

/** The job in another state, with a line about it. */
export function withStatus(
  job: StoredJob,
  status: JobStatus,
  { at, message, detail }: { at: string; message: string; detail?: string | undefined },
): StoredJob {
  const logged = withLog(job, { at, message, detail });
  return { ...logged, status, status_details: { ...logged.status_details, status } };
}

const MOST_LOGS = 500;

export function withLog(
  job: StoredJob,
  { at, message, detail }: { at: string; message: string; detail?: string | undefined },
): StoredJob {
  const { status_logs } = job.status_details;
  const log = { updated_at: at, message, ...(detail !== undefined && { detail }) };
  const logs = [...status_logs.slice(0, MOST_LOGS), log];
  return { ...job, updated_at: at, status_details: { ...job.status_details, updated_at: at, status_logs: logs } };
}

/** What is known of a model that came out: the losses of its weights, and the epoch that they are of. */
export function withResult(job: StoredJob, { steps, loss, validation_loss }: TrainingResult): StoredJob {
  const { status_details: details } = job;
  const { train_loss = [], val_loss = [] } = details.metrics.metrics;
  const lowest = (points: readonly MetricPoint[]) =>
    points.reduce<MetricPoint | undefined>(
      (best, point) => (best && best.value <= point.value ? best : point),
      undefined,
    );
  const per_epoch = details.steps_per_epoch ?? steps;
  const best_step = lowest(val_loss)?.step ?? steps - 1;
  return {
    ...job,
    status_details: {
      ...details,
      // The service gives the lowest one that it noted.
      train_loss: lowest(train_loss)?.value ?? loss.last,
      val_loss: validation_loss,
      best_epoch: Math.max(1, Math.ceil((best_step + 1) / per_epoch)),
    },
  };
}
