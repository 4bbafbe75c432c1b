/**
 * Training beside TRL on PyTorch, in turns on the same machine: tokens a second as TRL counts them (every pair is two rows with
 * its prompt in each), processor time and peak memory of each, and the matrix-product peak that each measured meanwhile.
 * Needs the Python environment that `npm run interop` makes, and says so where it is missing. Call: `npm run bench -- train-peers`;
 * `PAIRWRIGHT_BENCH` names cases by a part of their name, `PAIRWRIGHT_BENCH_ROUNDS` (2 unless told) how often each side runs,
 * `PAIRWRIGHT_BENCH_THREADS` what both compute with. On a machine with other work take one thread and look at processor time: two
 * threads wait for each other by spinning.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { computingEnv } from "../src/engine/runtime/start-child.ts";
import { configJson } from "../src/engine/weights/config-json.ts";
import { existingPythonEnv, type PythonEnv } from "../tests/interop/python-env.ts";
import { machine } from "./machine.ts";
import type { TrainingCase, TrainingFigures } from "./training-case.ts";
import { MODELS } from "./training-shapes.ts";

interface Peer {
  ours: TrainingCase;
  /** What the other side is, and how it runs the same; the pairs or rows of a step come from `ours`. */
  peer: "trl" | "torch";
  /** Name of an earlier case whose figures of the other side are taken: it computes every row apart, shared prompts or not. */
  theirs_of?: string;
}

const lora = { finetuning_type: "lora", batch_size: 4, max_tokens_per_micro_batch: 2048 };

const CASES: Record<string, Peer> = {
  "115k SFT, 128 x 15": {
    peer: "torch",
    ours: {
      model: "115k",
      data: { prompts: 1280, prompt: 11, reply: 4, rejected: 0 },
      options: { training_type: "sft", batch_size: 128, max_tokens_per_micro_batch: 2048 },
      recompute: "nothing",
      threads: 1,
      steps: 200,
    },
  },
  "0.8M DPO, 64 x 80": {
    peer: "trl",
    ours: {
      model: "0.8M",
      data: { prompts: 320, prompt: 38, reply: 42, rejected: 1 },
      options: { batch_size: 32 },
      recompute: "nothing",
      threads: 2,
      steps: 20,
    },
  },
  "135M DPO LoRA, 8 x 256": {
    peer: "trl",
    ours: {
      model: "135M",
      data: { prompts: 40, prompt: 128, reply: 128, rejected: 1 },
      options: lora,
      recompute: "nothing",
      threads: 2,
      steps: 2,
    },
  },
  "135M DPO LoRA, 4 pairs of one prompt": {
    peer: "trl",
    theirs_of: "135M DPO LoRA, 8 x 256",
    ours: {
      model: "135M",
      data: { prompts: 10, prompt: 128, reply: 128, rejected: 4 },
      options: { ...lora, shuffle: false },
      recompute: "nothing",
      threads: 2,
      steps: 2,
    },
  },
  "135M DPO LoRA, recomputed": {
    peer: "trl",
    ours: {
      model: "135M",
      data: { prompts: 40, prompt: 128, reply: 128, rejected: 1 },
      options: { ...lora, max_tokens_per_micro_batch: 800 },
      recompute: "all_but_products",
      threads: 2,
      steps: 2,
    },
  },
};

const env = await existingPythonEnv();
if (env === null) console.log("skipped: there is no Python environment yet; `npm run interop` makes it");
else await compareAll(env);

async function compareAll(python: PythonEnv): Promise<void> {
  const { PAIRWRIGHT_BENCH: wanted = "", PAIRWRIGHT_BENCH_ROUNDS: rounds = "2" } = process.env;
  const { PAIRWRIGHT_BENCH_THREADS: threads } = process.env;
  console.log(machine());
  const peers = new Map<string, TrainingFigures>();
  for (const [name, described] of Object.entries(CASES)) {
    if (!name.includes(wanted)) continue;
    const one = { ...described, ours: { ...described.ours, threads: Number(threads ?? described.ours.threads) } };
    const known = peers.get(one.theirs_of ?? "");
    const [ours, theirs]: [TrainingFigures[], TrainingFigures[]] = [[], known ? [known] : []];
    for (let round = 0; round < Number(rounds); round += 1) {
      ours.push(runOurs(one.ours));
      if (known === undefined) theirs.push(await runTheirs(python, one));
    }
    peers.set(name, bestOf(theirs));
    console.log(`\n${name}`);
    print(bestOf(ours), bestOf(theirs), one);
  }
}

/** The fastest step and the least processor time of several processes; the most memory, and the highest peak. */
function bestOf(runs: readonly TrainingFigures[]): TrainingFigures {
  const [first] = runs;
  if (first === undefined) throw new RangeError("nothing was measured");
  const least = (of: (run: TrainingFigures) => number) => Math.min(...runs.map(of));
  const most = (of: (run: TrainingFigures) => number) => Math.max(...runs.map(of));
  return {
    best_ms: least(({ best_ms }) => best_ms),
    median_ms: least(({ median_ms }) => median_ms),
    cpu_ms: least(({ cpu_ms }) => cpu_ms),
    tokens: first.tokens,
    peak_mb: most(({ peak_mb }) => peak_mb),
    matrix_peak: [most(({ matrix_peak: [before] }) => before), most(({ matrix_peak: [, after] }) => after)],
  };
}

function print(ours: TrainingFigures, theirs: TrainingFigures, { peer, ours: { threads } }: Peer): void {
  const rate = ({ tokens }: TrainingFigures, ms: number) => (tokens / ms) * 1000;
  const line = (who: string, figures: TrainingFigures) =>
    [
      `  ${who.padEnd(10)} ${Math.round(rate(figures, figures.best_ms))} tok/s (median ${Math.round(rate(figures, figures.median_ms))})`,
      `${((1000 * figures.cpu_ms) / figures.tokens).toFixed(0)} µs of processor a token`,
      `${Math.round(figures.peak_mb)} MB`,
      `${threads} ${threads === 1 ? "thread" : "threads"}`,
      `matrix products ${Math.round(Math.max(...figures.matrix_peak))} GFLOP/s`,
    ].join(" | ");
  const ratio = (of: (figures: TrainingFigures) => number) => (of(ours) / of(theirs)).toFixed(2);
  console.log(line("pairwright", ours));
  console.log(line(peer === "trl" ? "TRL" : "PyTorch", theirs));
  console.log(
    `  ratio      ${ratio((f) => rate(f, f.best_ms))} times the tokens (median ${ratio((f) => rate(f, f.median_ms))}), ` +
      `${ratio((f) => f.tokens / f.cpu_ms)} times the tokens a second of processor, ${ratio((f) => f.peak_mb)} times the memory`,
  );
}

function runOurs(one: TrainingCase): TrainingFigures {
  const script = fileURLToPath(new URL("training-case.ts", import.meta.url));
  const jiti = ["--import", import.meta.resolve("jiti/register")];
  const child = spawnSync(process.execPath, [...jiti, script, JSON.stringify(one)], {
    encoding: "utf8",
    maxBuffer: 1 << 24,
    // As the program starts its training process; the other side runs as its users start it.
    env: computingEnv(),
  });
  if (child.status !== 0) throw new Error(child.stderr);
  return lastLine(child.stdout);
}

async function runTheirs(python: PythonEnv, { peer, ours }: Peer): Promise<TrainingFigures> {
  const { model, data, options, recompute, threads, steps } = ours;
  const one = {
    peer,
    config: configJson(MODELS[model], { dtype: "F32" }),
    pairs: options.batch_size,
    rows: options.batch_size,
    prompt: data.prompt,
    reply: data.reply,
    lora: options.finetuning_type === "lora",
    recompute: recompute !== "nothing",
    threads,
    steps,
  };
  const script = fileURLToPath(new URL("train_peers.py", import.meta.url));
  return lastLine(await python.python(script, [JSON.stringify(one)], { threads, timeout_ms: 3_600_000 }));
}

function lastLine(stdout: string): TrainingFigures {
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as TrainingFigures;
}
