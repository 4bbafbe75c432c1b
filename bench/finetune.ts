/**
 * A whole finetune of the tic-tac-toe example against the embedded platform, which runs already and which is started for it:
 * how much of the time is neither games nor training. Wall time, and the command's own processor time.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { useEmbeddedPlatform } from "../src/pipeline/embedded-platform.ts";
import { machine } from "./machine.ts";
import { measured } from "./measured.ts";

const RUNS = 3;
const dir = resolve(".tmp/bench/finetune");
const example = resolve("examples/tic-tac-toe");
const config = `${dir}/config.yml`;
const CONFIG = `
base: ${example}/configs/config.yml
platform: {_type: embedded, serves: [training_llm]}
llms: {training_llm: {model_name: local/tic-tac-toe}}
eval: {general: {dataset: {file_path: ${example}/data/data.json}}}
trainer_adapters:
  nemo_customizer_trainer_adapter:
    customization_config: local/tic-tac-toe
    # As it is unless told; the example is told for a platform elsewhere.
    poll_interval_seconds: 0.2
    dataset_output_dir: null
    hyperparameters: {epochs: 1, batch_size: 32, learning_rate: 0.0001}
finetuning: {output_dir: ${dir}/out}
`;

interface Result {
  timing: Record<string, number>;
  job: { status_details: { elapsed_time?: number } };
  playing_seconds: number;
}

async function once(name: string): Promise<void> {
  await rm(`${dir}/out`, { recursive: true, force: true });
  const args = ["dist/cli/main.js", "finetune", config, "--json", "--quiet", "--no-cache"];
  const { stdout, seconds, cpu_seconds } = await measured(args, { XDG_DATA_HOME: `${dir}/data` });
  const { timing, job } = JSON.parse(stdout) as Result;
  const { collect = 0, measure = 0, ...rest } = timing;
  const trained = job.status_details.elapsed_time ?? 0;
  const stages = Object.entries(rest).filter(([stage]) => stage !== "total");
  console.log(
    [
      `${name}: ${seconds.toFixed(2)} s, of these games ${(collect + measure).toFixed(2)}, training ${trained.toFixed(2)}`,
      `own ${(seconds - collect - measure - trained).toFixed(2)} s`,
      `(${stages.map(([stage, time]) => `${stage} ${time.toFixed(2)}`).join(", ")})`,
      `the command's processor time ${cpu_seconds.toFixed(2)} s`,
    ].join("; "),
  );
}

console.log(machine());
await mkdir(dir, { recursive: true });
await writeFile(config, CONFIG);
for (let run = 0; run < RUNS; run += 1) await once("platform started for it".padEnd(24));
const used = await useEmbeddedPlatform({ dir: `${dir}/data/pairwright`, models: {} });
for (let run = 0; run < RUNS; run += 1) await once("platform runs already".padEnd(24));
used.release();
