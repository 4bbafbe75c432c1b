import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { BUILTIN_FORMATS } from "../../datasets/formats/builtin-formats.ts";
import { silentLogger } from "../../lib/log.ts";
import { writeTinyTokenizer } from "../../tokens/__fixtures__/tiny-tokenizer.ts";
import { NemoRlOptions, TrlOptions } from "../../training/launch/launch-options.ts";
import { oddFolder, toolFolder } from "./__fixtures__/tools.ts";
import { type LaunchTrainer, type LaunchTrainingOptions, launchTraining } from "./launch-training.ts";
import { watchLaunch } from "./watch-launch.ts";

const NEVER = new AbortController().signal;
const FORMATS = Object.entries(BUILTIN_FORMATS).map(([name, { format }]) => ({ name, format }));

function trl(options: object = {}): LaunchTrainer {
  const hyperparameters = { epochs: 1, batch_size: 4 };
  return { target: "trl", options: TrlOptions.parse({ model_name: "org/model", hyperparameters, ...options }) };
}

function nemoRl(options: object = {}): LaunchTrainer {
  const given = { model_name: "org/model", nemo_rl_dir: "/opt/nemo-rl", hyperparameters: { batch_size: 4 } };
  return { target: "nemo-rl", options: NemoRlOptions.parse({ ...given, ...options }) };
}

async function options(dir: string, change: Partial<LaunchTrainingOptions> = {}): Promise<LaunchTrainingOptions> {
  const [training, validation] = [join(dir, "pairs.jsonl"), join(dir, "valid.jsonl")];
  await writePairs(training, 6);
  await writePairs(validation, 2);
  return {
    ...{ trainer: trl(), machine: { nodes: 1, gpus: 0 }, output_dir: join(dir, "out"), formats: FORMATS },
    ...{ source: { training, validation }, submitter: undefined, dry_run: false, secrets: [], version: "0", env: {} },
    ...{ now: () => Date.UTC(2026, 0, 2, 3, 4, 5), drain: NEVER, stop: NEVER, log: silentLogger },
    ...{ onProgress: () => undefined },
    ...change,
  };
}

async function writePairs(path: string, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, place) => {
    return { prompt: `question ${place}`, chosen_response: `good ${place}`, rejected_response: `bad ${place}` };
  });
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

test("for TRL the pairs are messages, and beside them are its program, its settings and the ways to start it", async () => {
  await using folder = await oddFolder();
  const result = await launchTraining(await options(folder.dir));
  expect(basename(result.dir)).toBe("launch-2026-01-02T03-04-05");
  const rows = (await readFile(join(result.dir, "data/training.jsonl"), "utf8")).trimEnd().split("\n");
  expect(rows).toHaveLength(6);
  expect(JSON.parse(rows[0]!)).toMatchObject({
    prompt: [{ role: "user", content: "question 0" }],
    chosen: [{ role: "assistant", content: "good 0" }],
    rejected: [{ role: "assistant", content: "bad 0" }],
  });
  const job = JSON.parse(await readFile(join(result.dir, "train_dpo.json"), "utf8"));
  expect(job.training_file).toBe(join(result.dir, "data/training.jsonl"));
  expect(existsSync(job.validation_file)).toBe(true);
  expect(result.files.filter((file) => !existsSync(file))).toEqual([]);
  expect(Object.keys(result.commands).sort()).toEqual(["local", "ray", "slurm"]);
  expect(result.pairs).toMatchObject({ training: { written: 6 }, validation: { written: 2 } });
  expect(result.job).toBeNull();
  expect((await readdir(result.dir)).filter((name) => !name.includes(".")).sort()).toEqual(["data", "logs", "output"]);
});

test.each([
  ["no pairs validate", {}, { validation: null }, "validation_missing"],
  ["there are fewer pairs than one batch", { hyperparameters: { batch_size: 64 } }, {}, "too_few_pairs"],
  ["the metric of checkpoints does not exist", { checkpoint_metric: "loss_of_sleep" }, {}, "metric_unknown"],
])("where %s, nothing is written", async (_, trainer, source, code) => {
  await using folder = await oddFolder();
  const base = await options(folder.dir, { trainer: nemoRl(trainer), machine: { nodes: 1, gpus: 1 } });
  const refused = launchTraining({ ...base, source: { ...base.source, ...source } });
  await expect(refused).rejects.toMatchObject({ code, exit_code: 2 });
  expect(await readdir(join(folder.dir, "out"))).toEqual([]);
});

test("rows that are refused are named by their lines in the user's file, whatever was left out before them", async () => {
  await using folder = await oddFolder();
  const tokenizer_dir = join(folder.dir, "tokenizer");
  await writeTinyTokenizer(tokenizer_dir);
  const base = await options(folder.dir, { trainer: trl({ tokenizer_dir }) });
  const { training } = base.source;
  const equal = '{"prompt": "p", "chosen_response": "same", "rejected_response": "same"}';
  await writeFile(training, `\n${await readFile(training, "utf8")}\n${equal}\n${equal}\n`);
  const refused = launchTraining(base);
  await expect(refused).rejects.toMatchObject({
    code: "pairs_identical",
    what: expect.stringContaining(`in 2 of 8 training rows (lines 9, 10 of ${training})`),
  });
  await expect(refused).rejects.not.toThrow("partial");
});

test("a call of a tool that the rows cannot hold is refused with what a launch has to set", async () => {
  await using folder = await oddFolder();
  const base = await options(folder.dir, { trainer: trl({ dataset_format: "trl" }) });
  const call = {
    role: "assistant",
    content: "",
    tool_calls: [{ type: "function", function: { name: "f", arguments: "{}" } }],
  };
  const row = {
    prompt: [{ role: "user", content: "p" }],
    chosen: [call],
    rejected: [{ role: "assistant", content: "no" }],
  };
  await writeFile(base.source.training, `${JSON.stringify(row)}\n`);
  await expect(launchTraining(base)).rejects.toMatchObject({
    ...{ code: "would_drop_tool_calls", where: `${base.source.training}:1` },
    fix: expect.stringMatching(/^set dataset_format .*: trl-conversational;/),
  });
});

test.each([
  ["Kubernetes without an image", { submitter: "kubernetes" } as const, "not_startable"],
  ["two nodes on this machine", { submitter: "local", machine: { nodes: 2, gpus: 1 } } as const, "not_startable"],
  ["a secret in a file", { secrets: ["hf_abcdefgh12345678"] }, "secret_in_script"],
])("%s: refused, and nothing is written", async (_, change, code) => {
  await using folder = await oddFolder();
  const trainer = trl({ env: { HF_TOKEN: "hf_abcdefgh12345678" } });
  const refused = launchTraining(await options(folder.dir, { trainer, ...change }));
  await expect(refused).rejects.toMatchObject({ code, exit_code: 2 });
  expect(await readdir(join(folder.dir, "out"))).toEqual([]);
});

const VOLUME = { container: "image" };

test.each([
  ["nemo-rl", "slurm", "sbatch", "echo Submitted batch job 77", "77"],
  [
    "nemo-rl",
    "ray",
    "ray",
    `printf "12:00 SUCC cli.py:67 -- \\033[32mJob 'launch-x' submitted successfully\\033[39m\\n"`,
    "launch-x",
  ],
  ["nemo-rl", "kubernetes", "kubectl", "echo rayjob.ray.io/launch-x created", "rayjob.ray.io/launch-x"],
  ["trl", "slurm", "sbatch", "echo '78;cluster'", "78"],
  ["trl", "kubernetes", "kubectl", "echo job.batch/launch-x created", "job.batch/launch-x"],
] as const)("%s on %s: the job's id is told and kept", async (target, submitter, tool, script, id) => {
  await using odd = await oddFolder();
  // NeMo RL's script for Slurm takes no folder with a space.
  const folder = { dir: target === "nemo-rl" && submitter === "slurm" ? dirname(odd.dir) : odd.dir };
  const tools = await toolFolder(folder.dir, { [tool]: script });
  const volume = { ...VOLUME, kubernetes: { claim: "data", mount: folder.dir } };
  await mkdir(join(folder.dir, "nemo"));
  const trainer = target === "trl" ? trl(volume) : nemoRl({ ...volume, nemo_rl_dir: join(folder.dir, "nemo") });
  const machine = { nodes: 1, gpus: 8 };
  const result = await launchTraining(
    await options(folder.dir, {
      trainer: withBatch(trainer, 8),
      source: await eightPairs(folder.dir),
      ...{ submitter, machine, env: tools.env },
    }),
  );
  expect(result.fault).toBeUndefined();
  expect(result.job).toEqual({ submitter, id, followed_by: [] });
  expect((await tools.calls()).filter(([name]) => name === tool)).toHaveLength(1);
  expect(JSON.parse(await readFile(join(result.dir, "launch.json"), "utf8"))).toMatchObject({
    on: target,
    job: { id },
  });
});

/** Eight GPUs take eight pairs at the least. */
function withBatch(trainer: LaunchTrainer, batch_size: number): LaunchTrainer {
  trainer.options.hyperparameters.batch_size = batch_size;
  return trainer;
}

async function eightPairs(dir: string): Promise<LaunchTrainingOptions["source"]> {
  const source = { training: join(dir, "eight.jsonl"), validation: join(dir, "valid.jsonl") };
  await writePairs(source.training, 8);
  return source;
}

describe("on this machine", () => {
  /** What a TRL training of two steps leaves. */
  async function traces(dir: string): Promise<string> {
    const made = join(dir, "made");
    const tensors = Buffer.concat([Buffer.from(BigUint64Array.of(2n).buffer), Buffer.from("{}")]);
    for (const model of ["model", "checkpoints/checkpoint-2"]) {
      await mkdir(join(made, model), { recursive: true });
      await writeFile(join(made, model, "config.json"), "{}");
      await writeFile(join(made, model, "model.safetensors"), tensors);
    }
    await writeFile(join(made, "checkpoints/checkpoint-2/trainer_state.json"), '{"global_step":2}');
    const lines = [
      { step: 0, time: 1, event: "begin", total_steps: 2 },
      { step: 1, time: 2, loss: 0.69 },
      { step: 2, time: 3, loss: 0.5 },
    ];
    await writeFile(join(made, "metrics.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    return made;
  }

  async function train(dir: string, script: string, change: Partial<LaunchTrainingOptions> = {}) {
    const tools = await toolFolder(dir, { python: script });
    const trainer = trl({ python: tools.tool("python"), env: { MADE: await traces(dir) } });
    return await launchTraining(await options(dir, { trainer, submitter: "local", env: tools.env, ...change }));
  }

  /** It runs in the launch's folder. */
  const COPY = 'cp -R "$MADE/." output/; echo done';

  test("a training is run to its end, and judged by what it left", async () => {
    await using folder = await oddFolder();
    const { dir, outcome, fault } = await train(folder.dir, COPY);
    expect(fault).toBeUndefined();
    expect(outcome).toMatchObject({ status: "completed", step: 2, total_steps: 2, loss: 0.5, problems: [] });
    expect(outcome?.checkpoint?.dir).toBe(join(dir, "output/checkpoints/checkpoint-2"));
    expect(await readFile(join(dir, "output/train.log"), "utf8")).toBe("done\n");
    // Another process sees the same, later.
    const seen = { on: "trl", name: undefined, signal: NEVER, env: {} } as const;
    expect(await watchLaunch(join(folder.dir, "out"), seen)).toEqual({ dir, job: null, outcome });
    await expect(watchLaunch(join(folder.dir, "out"), { ...seen, on: "nemo-rl" })).rejects.toMatchObject({
      code: "no_such_launch",
    });
  });

  test.each([
    ["it fails", "echo 'ValueError: no such model' >&2; exit 3", "ended with exit code 3"],
    ["it ends well and has done nothing", "exit 0", "no step was made"],
    ["it is killed", "kill -9 $$", "it was ended by SIGKILL"],
  ])("when %s, the launch fails with 5", async (_, script, what) => {
    await using folder = await oddFolder();
    const { outcome, fault } = await train(folder.dir, script);
    expect(outcome?.status).toBe("failed");
    expect(fault).toMatchObject({ code: "training_failed", exit_code: 5, what: expect.stringContaining(what) });
  });

  test("Ctrl-C ends the trainer and whatever it started", async () => {
    await using folder = await oddFolder();
    const drain = new AbortController();
    const training = train(folder.dir, 'sleep 60 & echo $! > "$MADE/pid"; wait; exit 1', { drain: drain.signal });
    await untilWritten(join(folder.dir, "made/pid"));
    drain.abort();
    // `sleep` holds the trainer's output open, and a shell lets it not hear Ctrl-C: this comes to its end when it is gone.
    const { fault } = await training;
    expect(fault).toMatchObject({ code: "interrupted", exit_code: 130 });
    expect(fault?.fix).toContain("to go on, type: ");
  });

  test("without its Python nothing is started, and what to type is said", async () => {
    await using folder = await oddFolder();
    const trainer = trl({ python: join(folder.dir, "no-python") });
    const { fault, files } = await launchTraining(await options(folder.dir, { trainer, submitter: "local" }));
    expect(fault).toMatchObject({
      code: "no_trainer",
      exit_code: 2,
      fix: expect.stringContaining("no-python' -m accel"),
    });
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });
});

async function untilWritten(path: string): Promise<void> {
  for (let look = 0; look < 500; look += 1) {
    if (existsSync(path) && (await readFile(path, "utf8")).endsWith("\n")) return;
    await setTimeout(10);
  }
  throw new Error(`${path} was not written`);
}
