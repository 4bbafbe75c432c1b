import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { startModelServer } from "pairwright/testing";
import { openLocalModel } from "./local-model.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CONFIG = fileURLToPath(new URL("configs/config.yml", import.meta.url));

export interface RoundSettings {
  /** The folder of the model that plays and is trained. */
  model: string;
  /** Everything is written below it: the run, its data set, and the trained model in `model/`. */
  output_dir: string;
  /** How often each of the 48 games of the data is played. */
  reps: number;
  epochs: number;
  seed: number;
  /** Say warnings and errors only. */
  quiet?: boolean;
}

export interface Round {
  /** The folder with `training_file.jsonl` and `validation_file.jsonl`. */
  dataset: string;
  /** The folder of the trained model. */
  trained: string;
  games: number;
  pairs: number;
}

/**
 * One round, by the two commands that a user would type: `pairwright collect` plays games with the model behind a server on the
 * loopback address, and `pairwright train` trains it by DPO on the pairs that came out.
 */
export async function playAndTrain({
  model,
  output_dir,
  reps,
  epochs,
  seed,
  quiet = false,
}: RoundSettings): Promise<Round> {
  await using player = await openLocalModel(model);
  const server = await startModelServer({ reply: (request) => player.reply(request) });
  const overrides = {
    "llms.training_llm.base_url": server.url,
    "llms.training_llm.model_name": "base-model",
    "eval.general.output_dir": join(output_dir, "runs"),
    "trainer_adapters.nemo_customizer_trainer_adapter.dataset_output_dir": join(output_dir, "datasets"),
  };
  const also = quiet ? ["--quiet"] : [];
  const collected = await pairwright([
    "collect",
    CONFIG,
    ...Object.entries(overrides).flatMap(([path, value]) => ["-o", path, value]),
    ...["--reps", String(reps), "--seed", String(seed), "--no-cache", ...also],
  ]).finally(() => server.close());
  const { run_dir, completed, pairs } = collected as { run_dir: string; completed: number; pairs: number };
  const dataset = join(resolve(ROOT, run_dir), "dataset");
  const trained = join(output_dir, "model");
  await pairwright([
    "train",
    "--model",
    model,
    "--dataset",
    dataset,
    "--output",
    trained,
    "--overwrite",
    ...hyperparameters({ epochs, seed }),
    ...also,
  ]);
  return { dataset, trained, games: completed, pairs };
}

/** What suits so small a model: large steps, batches of whole positions, and plain likelihood beside, which keeps replies well-formed. */
function hyperparameters({ epochs, seed }: { epochs: number; seed: number }): string[] {
  const options = {
    training_type: "dpo",
    epochs,
    batch_size: 32,
    batch_unit: "prompt",
    learning_rate: 1e-3,
    warmup_steps: 20,
    adam_beta2: 0.95,
    ref_policy_kl_penalty: 0.5,
    sft_loss_weight: 1,
    sft_average_log_probs: true,
    seed,
  };
  return Object.entries(options).flatMap(([name, value]) => [`--${name.replaceAll("_", "-")}`, String(value)]);
}

/** Runs a command of the built program and gives what it prints with `--json`. Its words for people go where this one's go. */
async function pairwright(args: readonly string[]): Promise<unknown> {
  const child = spawn(process.execPath, [join(ROOT, "dist/cli/main.js"), ...args, "--json"], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`pairwright ${args[0]} ended with code ${code}`);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}
