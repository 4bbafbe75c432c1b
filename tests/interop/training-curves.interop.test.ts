import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TINY } from "../../src/tokens/__fixtures__/tiny-tokenizer.ts";
import type { EncodedExample, EncodedPair } from "../../src/tokens/row-encoder.ts";
import { pythonEnv } from "./python-env.ts";
import {
  encodedRows,
  type Job,
  type Metrics,
  preferenceRows,
  type Trained,
  trainByOurs,
  trainByTrl,
  writeSmallLlama,
} from "./trl.ts";

const { env, skip } = await pythonEnv();

const STEPS = 20;
const BATCH = 4;
const ROWS = preferenceRows(STEPS * BATCH);

/** Clipping clips in all of these, and decay decays. */
const OURS = {
  batch_size: BATCH,
  max_steps: STEPS,
  epochs: 2,
  learning_rate: 3e-3,
  schedule: "linear",
  warmup_steps: 3,
  weight_decay: 0.1,
  adam_beta2: 0.99,
  max_grad_norm: 0.5,
} as const;
const THEIRS = {
  per_device_train_batch_size: BATCH,
  max_steps: STEPS,
  learning_rate: 3e-3,
  lr_scheduler_type: "linear",
  warmup_steps: 3,
  weight_decay: 0.1,
  adam_beta2: 0.99,
  max_grad_norm: 0.5,
};

const JOBS = {
  full: {
    training_type: "dpo",
    model: "tied",
    options: { dpo: { ref_policy_kl_penalty: 0.2 } },
    arguments: { beta: 0.2 },
  },
  lora: {
    training_type: "dpo",
    model: "untied",
    options: { learning_rate: 1e-2, finetuning_type: "lora", seed: 7, lora: { rank: 8, alpha: 16 } },
    arguments: { learning_rate: 1e-2, precompute_ref_log_probs: true },
  },
  ipo: {
    training_type: "dpo",
    model: "tied",
    options: { schedule: "cosine", dpo: { loss_type: "ipo" } },
    arguments: { lr_scheduler_type: "cosine", loss_type: ["ipo"] },
  },
  hinge: {
    training_type: "dpo",
    model: "tied",
    options: { schedule: "constant", warmup_steps: 0, max_grad_norm: null, dpo: { loss_type: "hinge" } },
    arguments: { lr_scheduler_type: "constant", warmup_steps: 0, max_grad_norm: 0, loss_type: ["hinge"] },
  },
  robust_and_cut: {
    training_type: "dpo",
    model: "tied",
    options: { max_length: 60, dpo: { loss_type: "robust", label_smoothing: 0.1 } },
    arguments: { max_length: 60, loss_type: ["robust"], label_smoothing: 0.1 },
  },
  sft: {
    training_type: "sft",
    model: "tied",
    options: { max_tokens_per_micro_batch: 64 },
    arguments: { per_device_train_batch_size: BATCH / 2, gradient_accumulation_steps: 2 },
  },
  messages: { training_type: "dpo", model: "tied", options: {}, arguments: { max_steps: 1 }, as_messages: true },
} as const satisfies Record<string, Omit<Job, "rows">>;
type Name = keyof typeof JOBS;

const PREFERENCE_METRICS = [
  "rewards/chosen",
  "rewards/rejected",
  "rewards/margins",
  "rewards/accuracies",
  "logps/chosen",
  "logps/rejected",
];

let dir: string;
let theirs: Record<Name, Trained<Record<string, number[]>>>;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-trl-"));
  if (env === null) return;
  await writeSmallLlama(join(dir, "tied"));
  await writeSmallLlama(join(dir, "untied"), { tie_word_embeddings: false });
  const jobs = Object.keys(JOBS).map((name) => [name, jobOf(name as Name)]);
  theirs = await trainByTrl(env, join(dir, "trl"), Object.fromEntries(jobs) as Record<Name, Job>);
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

function jobOf(name: Name): Job {
  const { training_type, model, options, arguments: given, ...rest } = JOBS[name];
  return {
    ...rest,
    training_type,
    model: join(dir, model),
    rows:
      training_type === "dpo"
        ? ROWS
        : ROWS.map(({ prompt, chosen_response }) => ({ prompt, completion: chosen_response })),
    options: { ...OURS, ...options },
    arguments: { ...THEIRS, ...given },
  };
}

/** The largest relative difference over the steps. What is under `least` is held to that: rewards begin at 0. */
function difference(ours: Metrics[], theirs: Metrics[], name: string, least: number): number {
  const relative = ours.map((step, index) => {
    const [a = Number.NaN, b = Number.NaN] = [step[name], theirs[index]?.[name]];
    return a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(b), least);
  });
  return Math.max(...relative);
}

/** What differs by more than 1e-4 in any step, and by how much. */
function differing(ours: Metrics[], theirs: Metrics[], metrics: readonly string[]): Record<string, number> {
  expect(ours.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, index) => index + 1));
  expect(theirs.map(({ step }) => step)).toEqual(ours.map(({ step }) => step));
  const found = ["loss", "grad_norm", "learning_rate", ...metrics].map((name): [string, number] => [
    name,
    difference(ours, theirs, name, name.startsWith("rewards/") ? 0.1 : 0),
  ]);
  return Object.fromEntries(found.filter(([, value]) => !(value < 1e-4)));
}

function withoutLine({ line: _line, ...ids }: EncodedPair | EncodedExample): object {
  return ids;
}

describe.skipIf(env === null)(`20 steps are TRL's 20 steps ${skip ?? ""}`, () => {
  test.for(["full", "lora", "ipo", "hinge", "robust_and_cut"] as const)("DPO: %s", async (name) => {
    const ours = await trainByOurs(join(dir, name), jobOf(name));

    expect(theirs[name].rows).toEqual(ours.rows.map(withoutLine));
    expect(differing(ours.steps, theirs[name].steps, PREFERENCE_METRICS)).toEqual({});
    // Enough was learned that a mistake would have grown.
    expect(Math.abs(ours.steps.at(-1)!["rewards/margins"]!)).toBeGreaterThan(0.3);
  });

  test("SFT, a batch cut into accumulated parts", async () => {
    const ours = await trainByOurs(join(dir, "sft"), jobOf("sft"));

    const rows = (ours.rows as EncodedExample[]).map(({ prompt_ids, completion_ids }) => ({
      input_ids: [...prompt_ids, ...completion_ids],
      labels: [...prompt_ids.map(() => -100), ...completion_ids],
    }));
    expect(theirs.sft.rows).toEqual(rows);
    expect(differing(ours.steps, theirs.sft.steps, [])).toEqual({});
    expect(ours.steps.at(-1)!.loss).toBeLessThan(ours.steps[0]!.loss! / 1.3);
  });

  // It trains on what its template writes after the end token too, which no generation ever makes; we end with the end token.
  test("of messages, TRL makes our rows and a newline", async () => {
    const ours = (await encodedRows(jobOf("messages"))) as EncodedPair[];

    const newline = TINY.first_byte + 10;
    expect(theirs.messages.rows).toEqual(
      ours.map(({ prompt_ids, chosen_ids, rejected_ids }) => ({
        prompt_ids,
        chosen_ids: [...chosen_ids, newline],
        rejected_ids: [...rejected_ids, newline],
      })),
    );
  });
});
