import { EXIT, PairwrightError, usageError } from "../../lib/errors.ts";
import type { Parameters } from "../model/parameters.ts";
import { batchLoss, type LossReport } from "./batch-loss.ts";
import { batchAt, epochOrder, stepsInAll, stepsPerEpoch, unitsOf, weighted } from "./batches.ts";
import { loadCheckpoint, restore, saveCheckpoint, type TrainingState, tensorsOf } from "./checkpoint.ts";
import { type Learner, type LearnerSettings, openLearner, type StepReport } from "./learner.ts";
import { learningRate } from "./learning-rate.ts";
import type { ParameterStore } from "./parameter-store.ts";
import { openSequenceScorer, type SequenceScorer } from "./sequence-scorer.ts";
import type { TrainingData } from "./training-data.ts";

export interface TrainingRun extends LearnerSettings {
  /** Rows to measure on, with the reference model's log-probability of each of their sequences. */
  validation: { data: TrainingData; reference: Float64Array | null } | null;
  /** Where checkpoints lie, and what tells this job from others; null: none are made. */
  checkpoints: { dir: string; fingerprint: string } | null;
  /** Moments of an earlier job's optimiser to go on with, and how many steps they are of. */
  optimiser: OptimiserState | null;
  /** Milliseconds, from any start. */
  now: () => number;
}

export interface OptimiserState {
  /** The file that it was read from, for errors. */
  path: string;
  first_moments: Float32Array;
  second_moments: Float32Array;
  steps: number;
}

/** A line of the metrics file: a step, or a validation (`eval_loss`, …). */
export interface TrainingRecord {
  step: number;
  epoch: number;
  [metric: string]: number;
}

export interface TrainingEvents {
  signal: AbortSignal;
  /** Called for every line of metrics, with how many steps there are in all. */
  record(record: TrainingRecord, steps: number): void;
}

export interface TrainingOutcome {
  state: TrainingState;
  steps: number;
  ended: "finished" | "stopped_early" | "cancelled";
  /** The trained weights by name: views of the store, the best ones where validation chose. */
  weights: Parameters;
  learner: Learner;
}

/**
 * Trains from the first step, or from a checkpoint, to the last. A cancelled job has its checkpoint when this ends.
 * The caller releases the learner of what comes of it.
 */
export async function runTraining(run: TrainingRun, events: TrainingEvents): Promise<TrainingOutcome> {
  const learner = await openLearner(run);
  try {
    return await trainWith(learner, run, events);
  } catch (error) {
    await learner.release();
    throw error;
  }
}

async function trainWith(learner: Learner, run: TrainingRun, events: TrainingEvents): Promise<TrainingOutcome> {
  const { data, options } = run;
  const units = unitsOf(data, options);
  const per_epoch = stepsPerEpoch(units.length, options);
  const steps = stepsInAll(units.length, options);
  const progress = await beginOrResume(run, learner);
  const validator = run.validation && (await openValidator(run, learner, run.validation));
  const { state } = progress;
  const is_due = (every: number | null) => state.step === steps || state.step % (every ?? per_epoch) === 0;
  let order: { epoch: number; units: Uint32Array } | undefined;

  async function learn(): Promise<void> {
    const epoch = Math.floor(state.step / per_epoch);
    if (order?.epoch !== epoch) order = { epoch, units: epochOrder(units.length, epoch, options) };
    const batch = batchAt(data, units, order.units, state.step % per_epoch, options);
    const began = run.now();
    const rate = learningRate(options, state.step, steps);
    const report = await learner.learn(batch, state.step + 1, rate, progress.earlier_steps);
    progress.moved ||= report.grad_norm > 0;
    state.step += 1;
    state.first_loss ??= report.loss;
    state.last_loss = report.loss;
    events.record(stepRecord(state.step / per_epoch, state.step, report, run.now() - began), steps);
  }

  /** Also the first thing after a stop that came between a step and its validation. */
  async function validate(): Promise<void> {
    if (validator === null || state.validated_step === state.step || !is_due(options.validation_every)) return;
    const measured = await validator.measure(events.signal);
    if (!Number.isFinite(measured.loss)) throw badValidation(state.step);
    state.validated_step = state.step;
    noteValidation(progress, learner, measured.loss, options.early_stopping_patience);
    events.record(evalRecord(state.step / per_epoch, state.step, measured), steps);
  }

  const ended = await untilDone(events.signal, async () => {
    if (state.step > 0) {
      await validate();
      if (is_due(options.checkpoint_every)) await save(run, learner, progress);
    }
    const { early_stopping_patience: patience } = options;
    if (patience !== null && state.stale_validations >= patience) return "stopped_early";
    if (state.step >= steps) return "finished";
    events.signal.throwIfAborted();
    await learn();
    return undefined;
  });
  if (state.step > 0 && !progress.moved) throw nothingToLearn(state.step);
  // Also at the end: writing the model may fail, or be killed.
  await save(run, learner, progress);
  await validator?.release();
  if (progress.best !== null && ended !== "cancelled") learner.store.values.set(progress.best);
  return { state, steps, ended, weights: viewsOf(learner), learner };
}

/** A model that comes out as it went in is no success, whatever the reason. */
function nothingToLearn(steps: number): PairwrightError {
  return new PairwrightError({
    code: "no_gradient",
    where: `${steps} steps`,
    what: "every gradient was exactly zero, so no weight has changed",
    fix: "with the hinge loss lower beta, so that pairs are not satisfied at once; else see that the model's weights are not zero",
    exit_code: EXIT.training_failed,
  });
}

type Ended = TrainingOutcome["ended"];

/** Goes on until a turn says how it ended, or the signal stopped one. */
async function untilDone(signal: AbortSignal, turn: () => Promise<Ended | undefined>): Promise<Ended> {
  try {
    for (;;) {
      const ended = await turn();
      if (ended !== undefined) return ended;
    }
  } catch (error) {
    if (signal.aborted && error === signal.reason) return "cancelled";
    throw error;
  }
}

async function save({ checkpoints }: TrainingRun, { store }: Learner, progress: Progress): Promise<void> {
  const { state, best, saved_step } = progress;
  if (checkpoints === null || saved_step === state.step) return;
  await saveCheckpoint(checkpoints.dir, { state, tensors: tensorsOf(store, best) });
  progress.saved_step = state.step;
}

interface Progress {
  state: TrainingState;
  /** The weights of the best validation so far; null where none is chosen by. */
  best: Float32Array | null;
  /** Steps of the optimiser before this job. */
  earlier_steps: number;
  /** The step of the newest checkpoint. */
  saved_step: number;
  /** Whether any gradient was not zero. */
  moved: boolean;
}

async function beginOrResume(run: TrainingRun, { store }: Learner): Promise<Progress> {
  const { checkpoints, optimiser } = run;
  if (optimiser !== null) takeOver(store, optimiser);
  const earlier_steps = optimiser?.steps ?? 0;
  const found = checkpoints && (await loadCheckpoint(checkpoints.dir, checkpoints.fingerprint));
  if (found !== null) {
    restore(store, found.tensors);
    return {
      state: found.state,
      best: found.tensors.get("best") ?? null,
      earlier_steps,
      saved_step: found.state.step,
      moved: true,
    };
  }
  const state: TrainingState = {
    step: 0,
    fingerprint: checkpoints?.fingerprint ?? "",
    first_loss: null,
    last_loss: null,
    best_validation_loss: null,
    stale_validations: 0,
    validated_step: 0,
  };
  return { state, best: null, earlier_steps, saved_step: 0, moved: false };
}

function takeOver(store: ParameterStore, { path, first_moments, second_moments }: OptimiserState): void {
  const size = store.values.length;
  if (first_moments.length !== size || second_moments.length !== size) {
    throw usageError({
      code: "optimizer_mismatch",
      where: path,
      what: `it is of a job that trained ${first_moments.length} numbers; this one trains ${size}`,
      fix: "name the output of a job on the same model with the same finetuning_type and adapters, or leave --optimizer_from out",
    });
  }
  if (!Number.isFinite(store.kernels.squares(first_moments) + store.kernels.squares(second_moments))) {
    throw usageError({
      code: "optimizer_mismatch",
      where: path,
      what: "it holds numbers that are not finite",
      fix: "name the output of another job, or leave --optimizer_from out",
    });
  }
  store.first_moments.set(first_moments);
  store.second_moments.set(second_moments);
}

/** Remembers the best weights when stopping early is asked for: only then are other than the last ones wanted. */
function noteValidation(progress: Progress, { store }: Learner, loss: number, patience: number | null): void {
  const { state } = progress;
  const better = state.best_validation_loss === null || loss < state.best_validation_loss;
  state.stale_validations = better ? 0 : state.stale_validations + 1;
  if (!better) return;
  state.best_validation_loss = loss;
  if (patience !== null) progress.best = store.values.slice();
}

function badValidation(step: number): PairwrightError {
  return new PairwrightError({
    code: "loss_not_finite",
    where: `validation after step ${step}`,
    what: "the loss of the validation rows is not finite",
    fix: "lower the learning rate, and see that the model's own weights are finite",
    exit_code: EXIT.training_failed,
  });
}

interface Validator {
  measure(signal: AbortSignal): Promise<LossReport>;
  release(): Promise<void>;
}

async function openValidator(
  run: TrainingRun,
  learner: Learner,
  { data, reference }: NonNullable<TrainingRun["validation"]>,
): Promise<Validator> {
  const { config, adapter, options, max_length, chunks, threads } = run;
  const present = viewsOf(learner);
  const scorer: SequenceScorer = await openSequenceScorer({
    config,
    weights: adapter ? run.weights : present,
    ...(adapter && { adapter: { weights: present, scale: adapter.scale } }),
    max_length,
    max_tokens: options.max_tokens_per_micro_batch,
    chunks,
    threads,
  });
  const batch = weighted(data, unitsOf(data, options), options);
  return {
    async measure(signal) {
      const sums = await scorer.score(data, data.sequences.keys(), signal);
      return batchLoss({ data, reference, options }, batch, sums);
    },
    release: () => scorer.release(),
  };
}

function viewsOf({ store }: Learner): Parameters {
  return new Map(store.names.map((name) => [name, store.view("values", name)]));
}

function stepRecord(epoch: number, step: number, report: StepReport, milliseconds: number): TrainingRecord {
  const { tokens, ...metrics } = report;
  return { step, epoch, ...metrics, tokens, tokens_per_second: (tokens / milliseconds) * 1000 };
}

/** The same under the names that TRL gives to evaluations. */
function evalRecord(epoch: number, step: number, { tokens: _tokens, ...report }: LossReport): TrainingRecord {
  return { step, epoch, ...Object.fromEntries(Object.entries(report).map(([name, value]) => [`eval_${name}`, value])) };
}
