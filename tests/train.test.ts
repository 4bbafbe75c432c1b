import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { someRows, TINY_MODEL, type TrainingPlace, trainingPlace } from "../src/engine/__fixtures__/model-folder.ts";
import { openMetricsFile } from "../src/engine/train/metrics-file.ts";
import { METRICS_FILE } from "../src/engine/train/write-trained.ts";
import { seededRandom } from "../src/lib/random.ts";
import { mayMount, mounted } from "./support/disk.ts";
import { perform } from "./support/perform.ts";
import { type Ended, jsonOf, startPairwright } from "./support/program.ts";

const arguments_ = ({ model, dataset }: TrainingPlace, output: string, ...more: string[]) => [
  ...["train", "--model", model, "--dataset", dataset, "--output", output, "--learning_rate", "0.003"],
  ...more,
];

const run = (place: TrainingPlace, output: string, ...more: string[]): Promise<Ended> =>
  perform(arguments_(place, output, ...more), { cwd: place.dir });

async function weightsHash(dir: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(join(dir, "model.safetensors")))
    .digest("hex");
}

/** SIGKILL to the process that trains, whose id is in the lock. */
async function killTraining(output: string): Promise<void> {
  const lock = await readFile(join(`${output}.training`, "lock"), "utf8").catch(() => "");
  if (lock !== "") process.kill(Number(lock.split(" ")[0]), "SIGKILL");
}

/** Waits until steps have been made: before the first one there is nothing to go on from. */
async function firstSteps(output: string): Promise<void> {
  const metrics = join(`${output}.training`, METRICS_FILE);
  while ((await readFile(metrics, "utf8").catch(() => "")) === "") await wait(20);
}

test("weights are the same bytes in a fresh process with one thread and with two", async () => {
  // Large enough that onnxruntime shares the work between its threads.
  const config = { ...TINY_MODEL, hidden_size: 128, head_dim: 32, intermediate_size: 384, num_hidden_layers: 3 };
  await using place = await trainingPlace({ config });
  const hashes: string[] = [];
  for (const [index, threads] of ["1", "2", "2"].entries()) {
    const output = join(place.dir, `output-${index}`);
    const ended = await run(place, output, "--threads", threads, "--epochs", "1", "--batch_size", "16", "--json");
    expect(jsonOf(ended)).toMatchObject({ steps: 3, model: output });
    hashes.push(await weightsHash(output));
  }
  expect(new Set(hashes).size).toBe(1);
}, 60_000);

test("killed again and again, also while a checkpoint is written, it ends with the same bytes", async () => {
  await using place = await trainingPlace({ validation: someRows(6) });
  const settings = ["--epochs", "12", "--batch_size", "4", "--checkpoint_every", "1", "--threads", "1"];
  const whole = join(place.dir, "whole");
  expect((await run(place, whole, ...settings)).code).toBe(0);

  const random = seededRandom(3);
  const output = join(place.dir, "output");
  let kills = 0;
  let ended: Ended | undefined;
  while (ended?.code !== 0) {
    const started = startPairwright(arguments_(place, output, "--resume", ...settings), { cwd: place.dir });
    await Promise.race([started.says("training"), started.ended]);
    const timer = setTimeout(() => void killTraining(output), kills < 6 ? 20 + 250 * random() : 60_000);
    ended = await started.ended;
    clearTimeout(timer);
    if (ended.code === 0) continue;
    expect(ended).toMatchObject({ code: 5, stderr: expect.stringContaining("error[training_died]") });
    kills += 1;
  }
  expect(kills).toBeGreaterThan(2);
  expect(await weightsHash(output)).toBe(await weightsHash(whole));
  expect((await readdir(place.dir)).filter((name) => /partial|training/.test(name))).toEqual([]);
}, 120_000);

test("when the command itself is killed, its training process ends with a checkpoint", async () => {
  await using place = await trainingPlace();
  const started = startPairwright(arguments_(place, place.output, "--epochs", "2000"), { cwd: place.dir });
  await started.says("training");
  await firstSteps(place.output);
  started.child.kill("SIGKILL");
  expect((await started.ended).stderr).not.toMatch(/Error|ERR_/);
  const work_dir = `${place.output}.training`;
  while (existsSync(join(work_dir, "lock"))) await wait(20);
  expect((await readdir(work_dir)).filter((name) => name.startsWith("checkpoint-"))).toHaveLength(1);
});

test.skipIf(!mayMount())(
  "a disk that fills up at a checkpoint stops the job with its cause, and it goes on later",
  async () => {
    await using place = await trainingPlace();
    const small = join(place.dir, "small");
    using disk = await mounted(small, "size=400k");
    const output = join(small, "output");
    const full = await run(place, output, "--checkpoint_every", "2");
    expect(full.code).not.toBe(0);
    expect(full.stderr).toMatch(/error\[disk_full\]/);
    expect(existsSync(output)).toBe(false);
    disk.remount("size=20m");
    expect((await run(place, output, "--checkpoint_every", "2", "--resume")).code).toBe(0);
    expect(existsSync(`${output}.training`)).toBe(false);
  },
);

test.skipIf(!mayMount())("a line of metrics that finds no room is an error of its own, at the next line", async () => {
  const small = await mkdtemp(join(tmpdir(), "pairwright-metrics-"));
  {
    using _disk = await mounted(small, "size=8k");
    const path = join(small, "metrics.jsonl");
    await using metrics = await openMetricsFile(path, 0);
    await writeFile(join(small, "filler"), Buffer.alloc(8192)).catch(() => undefined);
    const full = expect.objectContaining({ code: "disk_full", where: path });
    metrics.append({ step: 1, epoch: 0, loss: 1 });
    await expect(metrics.flush()).rejects.toEqual(full);
    expect(() => metrics.append({ step: 2, epoch: 0, loss: 1 })).toThrow(full);
  }
  await rm(small, { recursive: true });
});

test("Ctrl-C leaves a checkpoint and says how to go on", async () => {
  await using place = await trainingPlace();
  const started = startPairwright(arguments_(place, place.output, "--epochs", "2000"), { cwd: place.dir });
  await started.says("training");
  await firstSteps(place.output);
  started.child.kill("SIGINT");
  const { code, stderr } = await started.ended;
  expect(code).toBe(130);
  expect(stderr).toMatch(/error\[training_cancelled\].*stopped after step \d+ of 24000[\s\S]*--resume/);
  expect(existsSync(place.output)).toBe(false);
  expect((await readdir(`${place.output}.training`)).filter((name) => name.startsWith("checkpoint-"))).toHaveLength(1);
});

test("Ctrl-C twice stops at once", async () => {
  await using place = await trainingPlace();
  const started = startPairwright(arguments_(place, place.output, "--epochs", "2000"), { cwd: place.dir });
  await started.says("training");
  // A process that is stopped takes no message: only the second signal can end it.
  const lock = await readFile(join(`${place.output}.training`, "lock"), "utf8");
  process.kill(Number(lock.split(" ")[0]), "SIGSTOP");
  started.child.kill("SIGINT");
  await started.says("Again: stop at once");
  started.child.kill("SIGINT");
  const { code, stderr } = await started.ended;
  expect([code, stderr]).toEqual([130, expect.stringContaining("stopped in the middle of a step")]);
});

test("two jobs for one output: the second is refused", async () => {
  await using place = await trainingPlace();
  const first = startPairwright(arguments_(place, place.output, "--epochs", "2000"), { cwd: place.dir });
  await first.says("training");
  const second = await run(place, place.output);
  expect(second.code).toBe(2);
  expect(second.stderr).toContain("error[locked]");
  first.child.kill("SIGINT");
  expect((await first.ended).code).toBe(130);
});

test("the training process killed from outside is one clear error", async () => {
  await using place = await trainingPlace();
  const started = startPairwright(arguments_(place, place.output, "--epochs", "2000"), { cwd: place.dir });
  await started.says("training");
  await killTraining(place.output);
  const { code, stderr } = await started.ended;
  expect(code).toBe(5);
  expect(stderr).toMatch(/error\[training_died\].*killed by SIGKILL, as a machine that runs out of memory does/);
});

test("a job that fails in its steps leaves no process behind", async () => {
  await using place = await trainingPlace();
  const ended = await run(place, join(place.dir, "output"), "--learning_rate", "1e30", "--threads", "2");
  expect(ended).toMatchObject({ code: 5, stderr: expect.stringContaining("error[loss_not_finite]") });
  const children = () => process.getActiveResourcesInfo().filter((name) => name === "ProcessWrap").length;
  await expect.poll(children, { timeout: 5000 }).toBe(0);
});

test("usage faults and missing folders exit with 2", async () => {
  await using place = await trainingPlace();
  const missing = await perform(["train", "--model", place.model], { cwd: place.dir });
  expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("--dataset")]);
  const nowhere = await run({ ...place, dataset: join(place.dir, "nowhere") }, place.output);
  expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining("error[dataset_missing]")]);
  await writeFile(join(place.model, "config.json"), "{}");
  const broken = await run(place, place.output, "--json");
  expect(broken.code).toBe(2);
  expect(jsonOf(broken)).toMatchObject({ error: { where: join(place.model, "config.json") } });
});
