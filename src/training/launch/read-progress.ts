import { findCheckpoint } from "./checkpoints.ts";
import type { TrainingProgress, Watch } from "./launch-plan.ts";
import type { MetricRecord } from "./metric-record.ts";
import { nemoRlMetrics } from "./nemo-rl/metrics.ts";
import { trlMetrics } from "./trl/metrics.ts";

/** A training's progress, and what else its traces say. */
export interface Traces {
  progress: TrainingProgress;
  /** The loss of step 1, where that was logged. */
  first_loss: number | null;
  /** A step whose loss is no number; null when there is none. */
  broken_step: number | null;
  /** Fewest pairs of a step that counted; null where the trainer does not tell. */
  fewest_valid: number | null;
  /** Newer checkpoints that are not whole, and why. */
  broken_checkpoints: string[];
}

/** How far a training has come, by its own files alone: it may run on other machines that share them. */
export async function readProgress(watch: Watch, signal?: AbortSignal): Promise<TrainingProgress> {
  return (await readTraces(watch, signal)).progress;
}

/** The same with all that `judgeTraining` looks at. Memory: one step's metrics. */
export async function readTraces(watch: Watch, signal?: AbortSignal): Promise<Traces> {
  const records = watch.target === "trl" ? trlMetrics(watch.metrics, signal) : nemoRlMetrics(watch, signal);
  const seen = await overlook(records);
  const { checkpoint, broken } = await findCheckpoint(watch.target, watch.checkpoints);
  const { first, last, told_steps, first_loss, broken_step, fewest_valid } = seen;
  const total_steps = told_steps ?? watch.total_steps;
  const [steps, seconds] = first && last ? [last.step - first.step, last.at_s - first.at_s] : [0, 0];
  const progress = {
    step: last?.step ?? 0,
    total_steps,
    loss: seen.metrics.loss ?? null,
    validation_loss: seen.metrics.eval_loss ?? null,
    metrics: seen.metrics,
    eta_s: last === undefined || steps === 0 ? null : (seconds / steps) * Math.max(0, total_steps - last.step),
    checkpoint,
  };
  return { progress, first_loss, broken_step, fewest_valid, broken_checkpoints: broken };
}

interface Moment {
  step: number;
  at_s: number;
}

interface Seen {
  first: Moment | undefined;
  last: Moment | undefined;
  metrics: Record<string, number>;
  told_steps: number | null;
  first_loss: number | null;
  broken_step: number | null;
  fewest_valid: number | null;
}

/** A run that was resumed logs steps again: the later words count. */
async function overlook(records: AsyncIterable<MetricRecord>): Promise<Seen> {
  const seen: Seen = {
    ...{ first: undefined, last: undefined, metrics: {}, told_steps: null },
    ...{ first_loss: null, broken_step: null, fewest_valid: null },
  };
  for await (const { step, at_s, values } of records) {
    const { loss, total_steps, num_valid_samples } = values;
    if (total_steps !== undefined) {
      // A run begins: the time before it was perhaps another day.
      seen.told_steps = total_steps;
      seen.first = undefined;
      continue;
    }
    if (num_valid_samples !== undefined) {
      seen.fewest_valid = Math.min(seen.fewest_valid ?? num_valid_samples, num_valid_samples);
    }
    if (loss !== undefined) {
      if (seen.last?.step !== step) seen.metrics = ofValidation(seen.metrics);
      seen.last = { step, at_s };
      seen.first ??= seen.last;
      if (step === 1) seen.first_loss = loss;
      if (!Number.isFinite(loss)) seen.broken_step ??= step;
    }
    // What follows a step's loss belongs to it; a validation stays until the next.
    Object.assign(seen.metrics, values);
  }
  return seen;
}

function ofValidation(metrics: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).filter(([name]) => name.startsWith("eval_")));
}
