/**
 * Training steps of random models: tokens a second as TRL counts them (every pair is two rows with its prompt in each), the
 * share of the matrix-product peak that was measured in the same process, processor time, and peak memory. Call: `npm run bench -- train`.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parameterCount } from "../src/engine/model/parameters.ts";
import { computingEnv } from "../src/engine/runtime/start-child.ts";
import { machine } from "./machine.ts";
import type { TrainingCase, TrainingFigures } from "./training-case.ts";
import { MODELS } from "./training-shapes.ts";

const sft = { training_type: "sft", batch_size: 128, max_tokens_per_micro_batch: 2048 };
const recipe = {
  batch_size: 32,
  batch_unit: "prompt",
  dpo: { sft_loss_weight: 0.3 },
  max_tokens_per_micro_batch: 2048,
};
const lora = { finetuning_type: "lora", batch_size: 4, max_tokens_per_micro_batch: 2048 };
const pairs = (prompts: number, prompt: number, reply: number, rejected = 1) => ({ prompts, prompt, reply, rejected });

const CASES: Record<string, TrainingCase> = {
  "115k SFT, 128 x 15": {
    model: "115k",
    data: pairs(1280, 11, 4, 0),
    options: sft,
    recompute: "nothing",
    threads: 1,
    steps: 100,
  },
  "115k DPO, 32 prompts of 9 replies": {
    model: "115k",
    data: pairs(320, 11, 4, 8),
    options: recipe,
    recompute: "nothing",
    threads: 1,
    steps: 100,
  },
  "0.8M DPO, 64 x 80": {
    model: "0.8M",
    data: pairs(320, 38, 42),
    options: { batch_size: 32 },
    recompute: "nothing",
    threads: 2,
    steps: 30,
  },
  "135M DPO LoRA, 8 x 256": {
    model: "135M",
    data: pairs(40, 128, 128),
    options: lora,
    recompute: "nothing",
    threads: 2,
    steps: 4,
  },
  "135M DPO LoRA, recomputed": {
    model: "135M",
    data: pairs(40, 128, 128),
    options: { ...lora, max_tokens_per_micro_batch: 800 },
    recompute: "all_but_products",
    threads: 2,
    steps: 3,
  },
  "135M DPO LoRA, 4 replies a prompt": {
    model: "135M",
    data: pairs(20, 128, 128, 3),
    options: { ...lora, batch_size: 3, shuffle: false },
    recompute: "nothing",
    threads: 2,
    steps: 3,
  },
};

console.log(machine());
const script = fileURLToPath(new URL("training-case.ts", import.meta.url));
for (const [name, one] of Object.entries(CASES)) {
  if (process.env.PAIRWRIGHT_BENCH && !name.includes(process.env.PAIRWRIGHT_BENCH)) continue;
  const child = spawnSync(
    process.execPath,
    ["--import", import.meta.resolve("jiti/register"), script, JSON.stringify(one)],
    {
      encoding: "utf8",
      maxBuffer: 1 << 24,
      env: computingEnv(),
    },
  );
  if (child.status !== 0) throw new Error(`${name}: ${child.stderr}`);
  const figures = JSON.parse(child.stdout.trim().split("\n").at(-1) ?? "") as TrainingFigures;
  console.log(`${name}: ${describe(one, figures)}`);
}

function describe({ model, threads, options }: TrainingCase, figures: TrainingFigures): string {
  const { best_ms, median_ms, cpu_ms, tokens, peak_mb, matrix_peak } = figures;
  const config = MODELS[model];
  const weights = parameterCount(config);
  // Forward and backward through the weights of every token that TRL computes; with LoRA the weights get no gradient.
  const flops = (options.finetuning_type === "lora" ? 4 : 6) * weights * tokens;
  const peak = Math.max(...matrix_peak);
  const rate = flops / best_ms / 1e6;
  return [
    `${Math.round((tokens / best_ms) * 1000)} tok/s (median ${Math.round((tokens / median_ms) * 1000)})`,
    `${best_ms.toFixed(1)} ms, ${cpu_ms.toFixed(1)} ms of processor, ${threads} threads`,
    `${rate.toFixed(0)} GFLOP/s as TRL would need, ${Math.round((100 * rate) / peak)} % of the peak ${peak.toFixed(0)}`,
    `${Math.round(peak_mb)} MB`,
  ].join(" | ");
}
