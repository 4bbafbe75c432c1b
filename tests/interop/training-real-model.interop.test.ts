import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Decoder, openDecoder } from "../../src/engine/generate/decoder.ts";
import { openGenerator } from "../../src/engine/generate/generator.ts";
import type { Parameters } from "../../src/engine/model/parameters.ts";
import { openSequenceScorer } from "../../src/engine/train/sequence-scorer.ts";
import { trainingDataBuilder } from "../../src/engine/train/training-data.ts";
import { readAdapter } from "../../src/engine/weights/adapter.ts";
import { type Model, readModelFolder } from "../../src/engine/weights/model-folder.ts";
import { openTensorFile } from "../../src/engine/weights/tensor-file.ts";
import type { Message } from "../../src/records/message.ts";
import type { DpoRow } from "../../src/tokens/dataset-rows.ts";
import { openChatTemplate } from "../../src/tokens/open-chat-template.ts";
import { openTokenizer } from "../../src/tokens/open-tokenizer.ts";
import { pythonEnv, smolLm2Folder } from "./python-env.ts";
import { temporaryFolder } from "./support.ts";
import { BUSY, type Job, type Trained, trainByOurs, trainByTrl } from "./trl.ts";

const { env, skip } = await pythonEnv();

const NEW_TOKENS = 64;
const THREADS = 2;

const PROMPTS: Message[][] = [
  "What is the capital of France?",
  "Write one sentence about the sea.",
  "Name three fruits.",
  "What is 12 + 30?",
  "Translate to Spanish: Good morning, my friend.",
  "def fibonacci(n):\n    # finish this function\n",
  "Why is the sky blue? Answer like a pirate. 🏴‍☠️",
  "List the days of the week, each on a line of its own.",
].map((content): Message[] => [{ role: "user", content }]);
PROMPTS.push(
  [
    { role: "system", content: "You are a poet who answers in rhyme." },
    { role: "user", content: "Tell me about winter." },
  ],
  [
    { role: "user", content: "My name is Ada." },
    { role: "assistant", content: "Hello, Ada! How can I help you today?" },
    { role: "user", content: "What is my name?" },
  ],
);

const ROWS: DpoRow[] = [
  {
    prompt: "What is the capital of France?",
    chosen_response: "Paris.",
    rejected_response: "I think that the capital of France may be Lyon, but I am not sure at all.",
  },
  {
    prompt: [
      { role: "system", content: "Answer in one word." },
      { role: "user", content: "Which animal says moo?" },
    ],
    chosen_response: "Cow",
    rejected_response: "The animal that says moo is the cow, a farm animal that gives us milk.",
  },
];

type Row = { prompt_ids: readonly number[]; chosen_ids: readonly number[]; rejected_ids: readonly number[] };

let dir: string;
let base: Model;
let prompts: number[][];
/** Prompt and reply of both rows' both replies. */
let sequences: { prompt: readonly number[]; reply: readonly number[] }[];
let ours: Trained<Row>;
let theirs: Trained<Record<string, number[]>>;
let continued: number[][];

const at = (name: string) => join(dir, name);

beforeAll(async () => {
  if (env === null) return;
  dir = await temporaryFolder("real");
  const folder = await smolLm2Folder(env);
  base = await readModelFolder(folder);
  const tokenizer = await openTokenizer(folder);
  const template = await openChatTemplate(folder);
  prompts = PROMPTS.map((messages) => [
    ...tokenizer.encode(template.render(messages, { add_generation_prompt: true })),
  ]);

  const job: Job = {
    training_type: "dpo",
    model: folder,
    rows: ROWS,
    options: {
      batch_size: 2,
      epochs: 2,
      finetuning_type: "lora",
      learning_rate: 1e-3,
      schedule: "constant",
      lora: { rank: 8, alpha: 16 },
    },
    arguments: { per_device_train_batch_size: 2, max_steps: 2, learning_rate: 1e-3, lr_scheduler_type: "constant" },
  };
  ours = (await trainByOurs(at("run"), job)) as Trained<Row>;
  ({ lora: theirs } = await trainByTrl(env, at("trl"), { lora: job }));

  sequences = ours.rows.flatMap(({ prompt_ids: prompt, chosen_ids, rejected_ids }) => [
    { prompt, reply: chosen_ids },
    { prompt, reply: rejected_ids },
  ]);
  const whole = sequences.map(({ prompt, reply }) => [...prompt, ...reply]);
  const trained = at("run/trained");
  const [jobs_file, report_file] = [at("logits.json"), at("logits-report.json")];
  const jobs = [
    { model: folder, adapter: null, ids: prompts, new_tokens: NEW_TOKENS, logits: at("base.safetensors") },
    { model: folder, adapter: join(trained, "adapter"), ids: whole, new_tokens: 0, logits: at("adapter.safetensors") },
    { model: trained, adapter: null, ids: whole, new_tokens: 0, logits: at("merged.safetensors") },
  ];
  await writeFile(jobs_file, JSON.stringify(jobs));
  await env.python("logits.py", [jobs_file, report_file], BUSY);
  [{ continued }] = JSON.parse(await readFile(report_file, "utf8"));
});
afterAll(async () => {
  if (env !== null) await rm(dir, { recursive: true, force: true });
});

/** Logits of transformers, [tokens, vocabulary], of each text. */
async function theirLogits(name: string): Promise<Float32Array[]> {
  await using file = await openTensorFile(at(name));
  const texts: Float32Array[] = [];
  for (let index = 0; index < file.header.tensors.size; index += 1) texts.push(await file.read(String(index)));
  return texts;
}

function furthest(one: Float32Array, other: Float32Array): number {
  expect(one.length).toBe(other.length);
  return one.reduce((most, value, index) => Math.max(most, Math.abs(value - other[index]!)), 0);
}

/** log p(reply | prompt) of a text's logits, in float64. */
function logProbability(logits: Float32Array, ids: readonly number[], from: number): number {
  const width = logits.length / ids.length;
  let sum = 0;
  for (let place = from; place < ids.length; place += 1) {
    const row = logits.subarray((place - 1) * width, place * width);
    const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const total = row.reduce((all, value) => all + Math.exp(value - most), 0);
    sum += row[ids[place]!]! - most - Math.log(total);
  }
  return sum;
}

/** The same by the graph that is trained. */
async function scoresOf(
  weights: Parameters,
  texts: { prompt: readonly number[]; reply: readonly number[] }[],
  adapter?: { weights: Parameters; scale: number },
): Promise<number[]> {
  const builder = trainingDataBuilder();
  for (const [row, { prompt, reply }] of texts.entries()) builder.target(row + 1, prompt, reply);
  const scorer = await openSequenceScorer({
    config: base.config,
    weights,
    adapter,
    max_length: 512,
    max_tokens: 512,
    chunks: 2,
    threads: THREADS,
  });
  const scores = await scorer.score(builder.data, builder.data.sequences.keys());
  await scorer.release();
  return builder.data.targets.map(({ sequence }) => scores.get(sequence)!);
}

async function decoderOf(parameters: Parameters): Promise<Decoder> {
  return openDecoder({ config: base.config, parameters, weights: "f32", threads: THREADS, rows: 1, length: 256 });
}

describe.skipIf(env === null)(`SmolLM2-135M-Instruct ${skip ?? ""}`, () => {
  test("logits of ten prompts, read whole and token by token, are those of transformers", async () => {
    const expected = await theirLogits("base.safetensors");
    const decoder = await decoderOf(base.parameters);
    const { vocab_size } = decoder;
    const differences: number[] = [];
    for (const [index, ids] of prompts.entries()) {
      const logits = expected[index]!;
      const whole = await decoder.run({ first: 0, tokens: Int32Array.from(ids), past: Int32Array.of(0) });
      differences.push(furthest(whole, logits.subarray(-vocab_size)));
      for (const [place, id] of ids.entries()) {
        const step = await decoder.run({ first: 0, tokens: Int32Array.of(id), past: Int32Array.of(place) });
        differences.push(furthest(step, logits.subarray(place * vocab_size, (place + 1) * vocab_size)));
      }
    }
    await decoder.close();

    expect(prompts).toHaveLength(10);
    expect(differences.length).toBe(10 + prompts.flat().length);
    expect(Math.max(...differences)).toBeLessThan(1e-3);
  });

  test("the graph that is trained finds the same texts as likely", async () => {
    const texts = prompts.map((ids) => ({ prompt: ids.slice(0, 1), reply: ids.slice(1) }));
    const scores = await scoresOf(base.parameters, texts);

    const expected = await theirLogits("base.safetensors");
    for (const [index, ids] of prompts.entries()) {
      expect(Math.abs(scores[index]! - logProbability(expected[index]!, ids, 1))).toBeLessThan(1e-3);
    }
  });

  test("64 tokens of greedy text are the same, ten requests at once", async () => {
    const { config, parameters } = base;
    const generator = await openGenerator({ config, parameters, threads: THREADS, max_batch: 10, max_length: 256 });
    const made = await Promise.all(
      prompts.map((prompt) =>
        generator.generate({ prompt, temperature: 0, max_tokens: NEW_TOKENS, stop_token_ids: [] }),
      ),
    );
    await generator.close();

    expect(continued.map((ids) => ids.length)).toEqual(prompts.map(() => NEW_TOKENS));
    expect(made.map(([completion]) => completion!.token_ids)).toEqual(continued);
  });

  test("a step of DPO on LoRA adapters is TRL's step", () => {
    expect(theirs.rows).toEqual(
      ours.rows.map(({ prompt_ids, chosen_ids, rejected_ids }) => ({ prompt_ids, chosen_ids, rejected_ids })),
    );
    expect(ours.steps).toHaveLength(2);
    expect(ours.steps[0]!.loss).toBeCloseTo(Math.log(2), 5);
    expect(ours.steps[1]!.loss).toBeLessThan(0.6);
    for (const [index, step] of ours.steps.entries()) {
      for (const name of ["loss", "grad_norm", "logps/chosen", "logps/rejected", "rewards/margins"]) {
        const [a, b] = [step[name]!, theirs.steps[index]![name]!];
        expect({ name, off: Math.abs(a - b) / Math.max(Math.abs(b), 0.1) < 1e-3 }).toEqual({ name, off: true });
      }
    }
  });

  test("what was trained gives the same in PEFT, in transformers and here", async () => {
    const adapter = await readAdapter(at("run/trained/adapter"));
    const merged = await readModelFolder(at("run/trained"));
    const expected = await theirLogits("adapter.safetensors");
    const expected_merged = await theirLogits("merged.safetensors");
    const untrained = await scoresOf(base.parameters, sequences);
    const scale = adapter.alpha / adapter.rank;
    const beside = await scoresOf(base.parameters, sequences, { weights: adapter.tensors, scale });
    const inside = await scoresOf(merged.parameters, sequences);
    const decoder = await decoderOf(merged.parameters);

    expect(sequences).toHaveLength(4);
    for (const [index, { prompt, reply }] of sequences.entries()) {
      const ids = [...prompt, ...reply];
      const target = logProbability(expected[index]!, ids, prompt.length);
      expect(furthest(expected[index]!, expected_merged[index]!)).toBeLessThan(1e-3);
      expect(Math.abs(beside[index]! - target)).toBeLessThan(1e-3);
      expect(Math.abs(inside[index]! - target)).toBeLessThan(1e-3);
      expect(Math.abs(untrained[index]! - target)).toBeGreaterThan(0.1);
      const last = await decoder.run({ first: 0, tokens: Int32Array.from(ids), past: Int32Array.of(0) });
      expect(furthest(last, expected[index]!.subarray(-decoder.vocab_size))).toBeLessThan(1e-3);
    }
    await decoder.close();
  });
});
