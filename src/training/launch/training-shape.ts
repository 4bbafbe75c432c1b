import { usageError } from "../../lib/errors.ts";
import type { LaunchInput } from "./launch-plan.ts";

/** How a training divides into batches and steps. */
export interface TrainingShape {
  /** Copies of the model that each take a share of a batch. */
  data_parallel: number;
  /** Pairs at once on one of them. */
  micro_batch_size: number;
  steps_per_epoch: number;
  /** 0 where there are fewer pairs than one batch and the trainer leaves out what is no whole one. */
  total_steps: number;
  /** Steps between validations. */
  validate_every: number;
  /** Steps between checkpoints: a multiple of `validate_every`, since a checkpoint is judged by a validation. */
  save_every: number;
}

const USUAL_MICRO_BATCH = 2;

/**
 * Divides a training. `hyperparameters.batch_size` counts the pairs of one step over all machines. Errors:
 * `batch_not_divisible`, `gpus_not_divisible`.
 */
export function trainingShape(input: LaunchInput): TrainingShape {
  const { hyperparameters, micro_batch_size, save_every } = input.options;
  const { batch_size, epochs, max_steps, val_check_interval } = hyperparameters;
  const data_parallel = dataParallel(input);
  const micro = micro_batch_size ?? largestDivisor(batch_size / data_parallel, USUAL_MICRO_BATCH);
  if (micro === 0 || batch_size % (data_parallel * micro) !== 0) {
    throw usageError({
      code: "batch_not_divisible",
      where: "hyperparameters.batch_size",
      what: `${batch_size} pairs do not divide over ${data_parallel} copies of the model that take ${micro || 1} at a time`,
      fix: `give a multiple of ${data_parallel * (micro || 1)}`,
    });
  }
  const { rows } = input.files.training;
  const steps_per_epoch = input.target === "nemo-rl" ? Math.floor(rows / batch_size) : stepsOfTrl(rows, input, micro);
  const wanted = steps_per_epoch * epochs;
  const total_steps = max_steps == null || max_steps === -1 ? wanted : limited(max_steps, wanted, input);
  const validate_every = Math.max(
    1,
    Math.min(interval(val_check_interval, steps_per_epoch) ?? save_every, total_steps),
  );
  return {
    data_parallel,
    micro_batch_size: micro,
    steps_per_epoch,
    total_steps,
    validate_every,
    save_every: Math.max(1, Math.ceil(save_every / validate_every)) * validate_every,
  };
}

/** NeMo RL ends with its epochs; TRL goes on for as many epochs as the steps need. */
function limited(max_steps: number, wanted: number, { target }: LaunchInput): number {
  return target === "nemo-rl" ? Math.min(max_steps, wanted) : max_steps;
}

function dataParallel(input: LaunchInput): number {
  const { nodes, gpus } = input.machine;
  const processes = nodes * Math.max(1, gpus);
  const shared = input.target === "nemo-rl" ? input.options.tensor_parallel_size : 1;
  if (processes % shared === 0) return processes / shared;
  throw usageError({
    code: "gpus_not_divisible",
    where: "tensor_parallel_size",
    what: `${processes} GPUs do not divide into groups of ${shared}`,
    fix: "give a divisor of the number of GPUs",
  });
}

/** As transformers counts them: what is left of the rows is a smaller step. */
function stepsOfTrl(rows: number, input: LaunchInput, micro: number): number {
  const { batch_size } = input.options.hyperparameters;
  const at_once = micro * dataParallel(input);
  return Math.ceil(Math.ceil(rows / at_once) / (batch_size / at_once));
}

/** Up to 1 a share of an epoch, above it steps. */
function interval(given: number | null | undefined, steps_per_epoch: number): number | null {
  if (given == null) return null;
  return given <= 1 ? Math.max(1, Math.round(given * steps_per_epoch)) : Math.round(given);
}

/** 0 where `size` is no whole number. */
function largestDivisor(size: number, most: number): number {
  if (!Number.isInteger(size)) return 0;
  for (let divisor = most; divisor > 1; divisor -= 1) if (size % divisor === 0) return divisor;
  return 1;
}
