import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { readModelFolder } from "../../src/engine/weights/model-folder.ts";
import { openChatTemplate } from "../../src/tokens/open-chat-template.ts";
import { openTokenizer } from "../../src/tokens/open-tokenizer.ts";
import { judgeTraining } from "../../src/training/launch/judge-training.ts";
import { TrlOptions } from "../../src/training/launch/launch-options.ts";
import type { LaunchInput, LaunchPlan, Watch } from "../../src/training/launch/launch-plan.ts";
import { launchRow } from "../../src/training/launch/launch-row.ts";
import { planLaunch } from "../../src/training/launch/plan-launch.ts";
import { preflight, refuseFailed } from "../../src/training/launch/preflight.ts";
import { rowTokens } from "../../src/training/launch/row-tokens.ts";
import { jsonOf, pairwright } from "../support/program.ts";
import { type PythonEnv, pythonEnv } from "./python-env.ts";
import { hashesOf, temporaryFolder } from "./support.ts";
import { BUSY, writeSmallLlama } from "./trl.ts";

const { env, skip } = await pythonEnv();

type Row = Record<string, unknown>;

const TOOLS = [{ type: "function", name: "find_city", description: "finds", parameters: { type: "object" } }];

/** Rollouts of NeMo Gym: each task has one that calls the tool and is right, and one that is wrong. */
function rollouts(tasks: number): Row[] {
  return Array.from({ length: tasks * 2 }, (_, at) => {
    const task = Math.floor(at / 2);
    const good = at % 2 === 0;
    const call = { type: "function_call", call_id: `c${at}`, name: "find_city", arguments: `{"row": ${task}}` };
    const text = [{ type: "output_text", text: good ? `Yes, move ${task}` : `No ${task} bad`, annotations: [] }];
    const message = { type: "message", role: "assistant", id: `m${at}`, status: "completed", content: text };
    return {
      responses_create_params: { input: [{ role: "user", content: `Play ${task}` }], tools: TOOLS },
      response: { output: good ? [message, call] : [message] },
      reward: good ? 1 : 0,
      _ng_task_index: task,
      _ng_rollout_index: at % 2,
    };
  });
}

const lines = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** Nothing asks a hub, and torch's threads leave the machine to others. */
const QUIET = { HF_HUB_OFFLINE: "1", CUDA_VISIBLE_DEVICES: "", OMP_NUM_THREADS: "2", ...BUSY.env };

function adapter({ dir }: PythonEnv, model_name: string, more: object = {}): Row {
  const settings = {
    model_name,
    python: join(dir, "bin", "python"),
    precision: "float32",
    max_length: 250,
    env: QUIET,
  };
  return { ...settings, save_every: 1, hyperparameters: { epochs: 1, batch_size: 5, learning_rate: 1e-3 }, ...more };
}

test.skipIf(env === null)(`rollouts become a model that TRL trained, by two commands ${skip ?? ""}`, async () => {
  const dir = await temporaryFolder("launch");
  await writeSmallLlama(join(dir, "model"));
  await writeFile(join(dir, "rollouts.jsonl"), lines(rollouts(12)));
  const config = {
    trainer_adapters: { trl: { _type: "trl_trainer_adapter", ...adapter(env!, join(dir, "model")) } },
    finetuning: { output_dir: "out" },
  };
  await writeFile(join(dir, "config.yml"), stringify(config));
  const pairs = ["--input", "rollouts.jsonl", "--output", "train.jsonl", "--validation", "val.jsonl"];
  const made = await pairwright(
    [
      "rollouts",
      ...pairs,
      "--validation_share",
      "0.34",
      "--to",
      "trl-conversational",
      "--completion",
      "turn",
      "--json",
    ],
    { cwd: dir },
  );
  expect(made.stderr).not.toContain("error[");
  const data = ["--dataset", "train.jsonl", "--validation_dataset", "val.jsonl"];
  const ended = await pairwright(
    ["launch", "config.yml", "--on", "trl", ...data, "--gpus", "0", "--submit", "local", "--json"],
    { cwd: dir },
  );

  expect(ended.stderr).not.toContain("error[");
  const said = jsonOf<{ outcome: Row; checks: Row[]; watch: Watch; training: number }>(ended);
  expect(ended.code).toBe(0);
  expect(said.training).toBe(10);
  expect(said.checks.filter(({ status }) => status !== "ok")).toEqual([]);
  expect(said.outcome).toMatchObject({
    status: "completed",
    step: 2,
    total_steps: 2,
    problems: [],
    warnings: [],
    checkpoint: { step: 2, dir: join(said.watch.checkpoints, "checkpoint-2") },
    metrics: { "rewards/accuracies": expect.any(Number), learning_rate: expect.any(Number) },
  });
  // The first step begins at ln 2, and one step of this rate already learns something.
  expect(said.outcome.loss).toBeLessThan(Math.LN2);
  const [before, after] = [await weightsOf(join(dir, "model")), await weightsOf(join(said.watch.output, "model"))];
  expect(Object.keys(after)).toEqual(Object.keys(before));
  expect(Object.keys(after).filter((name) => after[name] === before[name])).toEqual([]);
});

async function weightsOf(dir: string) {
  return hashesOf((await readModelFolder(dir)).parameters);
}

/** Starts a plan as `launch --submit local` does; gives how it ended. */
async function start(plan: LaunchPlan) {
  const { local } = plan.start;
  if ("refused" in local) throw new Error(local.refused);
  const [program = "", ...args] = local.argv;
  const { PATH = "", HOME = "" } = process.env;
  const options = { cwd: local.cwd, env: { PATH, HOME, ...local.env }, timeout: 600_000, maxBuffer: 1 << 26 };
  await promisify(execFile)(program, args, options);
  return await judgeTraining(plan.watch, { exit_code: 0 });
}

function conversation(index: number): Row {
  const tools = JSON.stringify(TOOLS.map(({ type, ...named }) => ({ type, function: named })));
  const call = { id: "c", type: "function", function: { name: "find_city", arguments: { row: index } } };
  return {
    prompt: [
      { role: "system", content: "You play" },
      { role: "user", content: `Play <row>${index}</row> ünï 🙂` },
    ],
    chosen: [{ role: "assistant", content: `Yes ${index}`, ...(index % 2 === 0 && { tool_calls: [call] }) }],
    rejected: [{ role: "assistant", content: "No bad move" }],
    ...(index % 3 === 0 && { tools }),
  };
}

async function inputOf(dir: string, options: object): Promise<LaunchInput> {
  await mkdir(join(dir, "trained"), { recursive: true });
  const rows = Array.from({ length: 10 }, (_, index) => conversation(index));
  await writeFile(join(dir, "training.jsonl"), lines(rows.slice(0, 8)));
  await writeFile(join(dir, "validation.jsonl"), lines(rows.slice(8)));
  const file = (side: string, count: number) => ({ path: join(dir, `${side}.jsonl`), rows: count });
  return {
    ...{ target: "trl", name: "dpo", dir, output: join(dir, "trained"), machine: { nodes: 1, gpus: 0 } },
    files: { training: file("training", 8), validation: file("validation", 2) },
    options: TrlOptions.parse(options),
  };
}

test.skipIf(env === null)(
  `LoRA is merged, and a run that was killed goes on from its checkpoint ${skip ?? ""}`,
  async () => {
    const dir = await temporaryFolder("launch-lora");
    await writeSmallLlama(join(dir, "model"));
    const hyperparameters = { finetuning_type: "lora_merged", epochs: 1, batch_size: 4, lora: { adapter_dim: 4 } };
    const input = await inputOf(dir, adapter(env!, join(dir, "model"), { hyperparameters }));
    refuseFailed(await preflight(input));
    const plan = planLaunch(input);
    for (const { name, text } of plan.files) await writeFile(join(dir, name), text);

    expect(await start(plan)).toMatchObject({ status: "completed", step: 2, warnings: [] });
    expect(await readModelFolder(join(input.output, "model"))).toHaveProperty("config");

    // As if it had been killed after the first step.
    await rm(join(input.output, "checkpoints", "checkpoint-2"), { recursive: true });
    await rm(join(input.output, "model"), { recursive: true });
    expect(await judgeTraining(plan.watch, { exit_code: 137 })).toMatchObject({
      status: "failed",
      checkpoint: { step: 1 },
    });
    const logged = async () =>
      (await readFile(plan.watch.metrics, "utf8")).split("\n").filter((line) => line.includes('"loss"'));
    const before = (await logged()).length;
    expect(await start(plan)).toMatchObject({ status: "completed", step: 2, checkpoint: { step: 2 } });
    const again = (await logged()).slice(before).map((line) => JSON.parse(line).step);
    expect(again).toEqual([2]);
  },
);

test.skipIf(env === null)(`the commands of two nodes train together, each half of a batch ${skip ?? ""}`, async () => {
  const dir = await temporaryFolder("launch-nodes");
  await writeSmallLlama(join(dir, "model"));
  const hyperparameters = { finetuning_type: "lora", epochs: 1, batch_size: 4, lora: { adapter_dim: 4 } };
  const one = await inputOf(dir, adapter(env!, join(dir, "model"), { hyperparameters }));
  const plan = planLaunch({ ...one, machine: { nodes: 2, gpus: 1 } });
  for (const { name, text } of plan.files) {
    // A CPU stands in for the GPU of each node, which torch has to be told.
    await writeFile(join(dir, name), text.replace('"arguments": {', '"arguments": {"use_cpu": true,'));
  }
  // Slurm's programs as far as the script knows them: `srun` starts its command once a node.
  await mkdir(join(dir, "bin"));
  const srun = `#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nSLURM_NODEID=1 "$@" & SLURM_NODEID=0 "$@" && wait $!\n`;
  await writeFile(join(dir, "bin", "srun"), srun, { mode: 0o755 });
  await writeFile(join(dir, "bin", "scontrol"), "#!/bin/sh\necho 127.0.0.1; echo 127.0.0.2\n", { mode: 0o755 });
  const surroundings = { PATH: `${join(dir, "bin")}:${process.env.PATH}`, SLURM_JOB_NODELIST: "two", ...QUIET };
  const options = { cwd: dir, env: surroundings, timeout: 600_000, maxBuffer: 1 << 26 };
  await promisify(execFile)("bash", [join(dir, "train.sbatch")], options);

  expect(await judgeTraining(plan.watch, { exit_code: 0 })).toMatchObject({
    status: "completed",
    step: 2,
    total_steps: 2,
    warnings: [],
    checkpoint: { step: 2 },
  });
});

test.skipIf(env === null)(`preflight counts the tokens that TRL trains on ${skip ?? ""}`, async () => {
  const dir = await temporaryFolder("launch-tokens");
  const model = join(dir, "model");
  await writeSmallLlama(model);
  const rows = Array.from({ length: 10 }, (_, index) => conversation(index));
  const job = { model, adapter: null, training_type: "dpo", rows, arguments: { max_steps: 1, max_length: 250 } };
  await writeFile(join(dir, "jobs.json"), JSON.stringify({ job }));
  await env!.python("trl_train.py", [join(dir, "jobs.json"), join(dir, "results.json")], BUSY);
  const { job: trained } = JSON.parse(await readFile(join(dir, "results.json"), "utf8"));

  const tokens = rowTokens("trl", await openTokenizer(model), await openChatTemplate(model));
  const ours = rows.map((row) => {
    const read = launchRow(row, "trl-conversational");
    if ("problem" in read) throw new Error(read.problem);
    const { prompt, chosen, rejected } = tokens(read);
    return {
      prompt_ids: chosen.slice(0, prompt),
      chosen_ids: chosen.slice(prompt),
      rejected_ids: rejected.slice(prompt),
    };
  });
  expect(ours).toHaveLength(10);
  expect(ours).toEqual(trained.rows);
});
