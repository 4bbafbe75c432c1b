/** One training case in a process of its own: `jiti bench/training-case.ts JSON`. Prints what it measured as JSON. */
import { performance } from "node:perf_hooks";
import type { Recompute } from "../src/engine/model/forward.ts";
import { initialAdapter, initialWeights } from "../src/engine/model/initial-weights.ts";
import { logitParts } from "../src/engine/model/token-log-probabilities.ts";
import { matrixRate } from "../src/engine/runtime/matrix-rate.ts";
import { batchAt, epochOrder, unitsOf } from "../src/engine/train/batches.ts";
import { TrainingOptions } from "../src/engine/train/training-options.ts";
import { type CaseData, MODELS, type ModelName, randomData } from "./training-shapes.ts";

// The built one: only that has threads.
const { openLearner }: typeof import("../src/engine/train/learner.ts") = await import(
  new URL("../dist/engine/train/learner.js", import.meta.url).href
);

export interface TrainingCase {
  model: ModelName;
  data: CaseData;
  options: Record<string, unknown>;
  recompute: Recompute;
  threads: number;
  steps: number;
}

export interface TrainingFigures {
  /** Milliseconds of the fastest and of the middle step. */
  best_ms: number;
  median_ms: number;
  cpu_ms: number;
  /** Tokens of a step as TRL counts them: a row for each prompt with a reply. */
  tokens: number;
  peak_mb: number;
  /** Of matrix products, before and after, GFLOP/s. */
  matrix_peak: [number, number];
}

const { model, data, options: given, recompute, threads, steps } = JSON.parse(process.argv[2] ?? "") as TrainingCase;
const config = MODELS[model];
const options = TrainingOptions.parse({ learning_rate: 1e-6, ...given });
const rows = randomData(data, config.vocab_size);
const matrixPeak = async () => (await matrixRate(threads, 30)) / 1e9;
const before = await matrixPeak();
const learner = await openLearner({
  config,
  weights: initialWeights(config, { deviation: 0.05 }),
  ...(options.finetuning_type === "lora" && { adapter: { weights: initialAdapter(config, options.lora), scale: 2 } }),
  data: rows,
  reference: new Float64Array(rows.sequences.length).fill(-10),
  options,
  max_length: 2048,
  chunks: logitParts(config, options.max_tokens_per_micro_batch),
  recompute,
  threads,
});
const units = unitsOf(rows, options);
const order = epochOrder(units.length, 0, options);
const per_epoch = Math.floor(units.length / options.batch_size);
const times: number[] = [];
let tokens = 0;
let cpu = process.cpuUsage();
for (let step = 0; step <= steps; step += 1) {
  // The first step is not counted: memory comes to it, and machine code.
  if (step === 1) cpu = process.cpuUsage();
  const began = performance.now();
  const report = await learner.learn(batchAt(rows, units, order, step % per_epoch, options), step + 1, 1e-6);
  if (step > 0) times.push(performance.now() - began);
  tokens = report.tokens;
}
const { user, system } = process.cpuUsage(cpu);
const peak_mb = process.resourceUsage().maxRSS / 1024;
await learner.release();
times.sort((a, b) => a - b);
const figures: TrainingFigures = {
  best_ms: times[0] ?? 0,
  median_ms: times[times.length >> 1] ?? 0,
  cpu_ms: (user + system) / 1000 / steps,
  tokens,
  peak_mb,
  matrix_peak: [before, await matrixPeak()],
};
console.log(JSON.stringify(figures));
