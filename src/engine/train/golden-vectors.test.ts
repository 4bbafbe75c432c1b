import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { batchLoss } from "./batch-loss.ts";
import { unitsOf, weighted } from "./batches.ts";
import { trainingDataBuilder } from "./training-data.ts";
import { TrainingOptions } from "./training-options.ts";

// Numbers that TRL's DPOTrainer and NeMo RL's DPOLossFn gave for one batch; they lie beside a checkout, where there is one.
const FILE = resolve("../shared/vectors/dpo_reference_vectors.json");
const present = existsSync(FILE);

interface Vectors {
  batch: {
    completion_mask: number[][];
    policy_per_token_logps: number[][];
    ref_per_token_logps: number[][];
  };
  trl: { config: Record<string, unknown>; loss: number; metrics: Record<string, number> }[];
  nemo_rl: {
    config: Record<string, unknown>;
    sample_mask_pairs: number[];
    loss: number;
    metrics: Record<string, number>;
  }[];
}

/** The batch as a data set: chosen replies come first, rejected ones after them. `kept` names the pairs that count. */
function lossOf(vectors: Vectors, given: unknown, kept = [0, 1, 2]) {
  const { completion_mask, policy_per_token_logps, ref_per_token_logps } = vectors.batch;
  const lengths = completion_mask.map((mask) => mask.reduce((sum, one) => sum + one, 0));
  // Log-probabilities are of the token after: masks are read from the second token on.
  const sum = (rows: number[][], index: number) =>
    rows[index]!.reduce((total, value, at) => total + (completion_mask[index]![at + 1] === 1 ? value : 0), 0);
  const builder = trainingDataBuilder();
  const ids = (index: number) => Array.from({ length: lengths[index]! }, (_, at) => 10 * index + at);
  for (const pair of kept) builder.pair(pair + 1, [1000 + pair], ids(pair), ids(pair + 3));
  const { data } = builder;
  const source = kept.flatMap((pair) => [pair, pair + 3]);
  const options = TrainingOptions.parse(given);
  const batch = weighted(data, unitsOf(data, options), options);
  const policy = new Map(source.map((index, sequence) => [sequence, sum(policy_per_token_logps, index)]));
  const reference = Float64Array.from(source, (index) => sum(ref_per_token_logps, index));
  return batchLoss({ data, reference, options }, batch, policy);
}

function near(ours: number | undefined, theirs: number): void {
  expect(Math.abs((ours ?? Number.NaN) - theirs)).toBeLessThan(1e-6 * Math.max(1, Math.abs(theirs)));
}

describe.skipIf(!present)("golden numbers (skipped where ../shared/vectors is absent)", () => {
  const vectors = present ? (JSON.parse(readFileSync(FILE, "utf8")) as Vectors) : undefined;

  test("loss and metrics are TRL's, for every loss that both have", () => {
    const known = vectors!.trl.filter(
      ({ config }) =>
        ["sigmoid", "hinge", "ipo", "robust", "sigmoid_norm"].includes((config.loss_type as string[]).join()) &&
        Object.keys(config).every((key) => ["loss_type", "beta", "label_smoothing"].includes(key)),
    );
    expect(known).toHaveLength(10);
    for (const { config, loss, metrics } of known) {
      const [name] = config.loss_type as string[];
      const dpo = {
        loss_type: name === "sigmoid_norm" ? "sigmoid" : name,
        preference_average_log_probs: name === "sigmoid_norm",
        ref_policy_kl_penalty: config.beta,
        ...(config.label_smoothing !== undefined && { label_smoothing: config.label_smoothing }),
      };
      const ours = lossOf(vectors!, { dpo });
      near(ours.loss, loss);
      for (const metric of ["rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins"] as const) {
        near(ours[metric], metrics[metric]!);
      }
      near(ours["logps/chosen"], metrics["logps/chosen"]!);
      near(ours["logps/rejected"], metrics["logps/rejected"]!);
    }
  });

  test("losses are NeMo RL's, with its likelihood term and its masked pairs", () => {
    expect(vectors!.nemo_rl).toHaveLength(14);
    for (const { config, sample_mask_pairs, loss, metrics } of vectors!.nemo_rl) {
      const { reference_policy_kl_penalty, ...others } = config;
      const kept = sample_mask_pairs.flatMap((mask, pair) => (mask === 1 ? [pair] : []));
      const dpo = { ref_policy_kl_penalty: reference_policy_kl_penalty, sft_average_log_probs: false, ...others };
      const ours = lossOf(vectors!, { dpo }, kept);
      near(ours.loss, loss);
      near(ours.preference_loss, metrics.preference_loss!);
      near(ours.sft_loss ?? 0, metrics.sft_loss!);
      near(ours["rewards/accuracies"], metrics.accuracy!);
    }
  });
});
