import { EXIT, PairwrightError } from "../../lib/errors.ts";
import type { Batch } from "./plan-batch.ts";
import type { TrainingData } from "./training-data.ts";

/** The error of a step whose loss or gradient is not a number that can be used; it names the rows that it came from. */
export function nonFinite(
  data: TrainingData,
  step: number,
  batch: Batch,
  sums: ReadonlyMap<number, number>,
  grad_norm: number,
): PairwrightError {
  const bad = rowsWith(data, batch, (sequence) => !Number.isFinite(sums.get(sequence)));
  const rows = bad.length > 0 ? bad : rowsWith(data, batch, () => true);
  return new PairwrightError({
    code: "loss_not_finite",
    where: `step ${step}`,
    what: `the loss or its gradient is not finite (gradient norm ${grad_norm}), rows ${listed(rows)}; the weights are as the step before left them`,
    fix: "look at these rows, see that the model's own weights are finite, or begin anew with a lower learning rate (--overwrite)",
    exit_code: EXIT.training_failed,
  });
}

/** Lines of the data set, of a batch's rows that have such a sequence. */
function rowsWith(data: TrainingData, { pairs, likelihood }: Batch, has: (sequence: number) => boolean): number[] {
  if (pairs.length > 0)
    return pairs.filter(({ chosen, rejected }) => has(chosen) || has(rejected)).map(({ row }) => row);
  return data.targets.filter(({ sequence }) => likelihood.has(sequence) && has(sequence)).map(({ row }) => row);
}

function listed(rows: readonly number[]): string {
  const shown = [...new Set(rows)].sort((a, b) => a - b);
  return shown.length > 10 ? `${shown.slice(0, 10).join(", ")} and ${shown.length - 10} more` : shown.join(", ");
}
