import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { EVENT_FILE } from "./__fixtures__/event-file.ts";
import { nemoRlInput, trlInput } from "./__fixtures__/launch-inputs.ts";
import { judgeTraining } from "./judge-training.ts";
import type { Watch } from "./launch-plan.ts";
import { planLaunch } from "./plan-launch.ts";
import { readProgress } from "./read-progress.ts";

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-launch-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function write(dir: string, files: Record<string, string | Buffer>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
}

/** A file of one tensor of `bytes` bytes; `cut` leaves out as many at its end. */
function tensors(bytes = 16, cut = 0): Buffer {
  const header = JSON.stringify({ w: { dtype: "F32", shape: [bytes / 4], data_offsets: [0, bytes] } });
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(header.length));
  const whole = Buffer.concat([head, Buffer.from(header), Buffer.alloc(bytes)]);
  return whole.subarray(0, whole.length - cut);
}

async function trlWatch(rows = 3): Promise<Watch> {
  const output = await folder();
  const files = { training: { path: "/t.jsonl", rows }, validation: { path: "/v.jsonl", rows: 1 } };
  return planLaunch(trlInput({ output, files, options: { hyperparameters: { batch_size: 1, epochs: 1 } } })).watch;
}

async function nemoWatch(): Promise<Watch> {
  const output = await folder();
  const files = { training: { path: "/t.jsonl", rows: 24 }, validation: { path: "/v.jsonl", rows: 8 } };
  return planLaunch(nemoRlInput({ output, files, options: { hyperparameters: { batch_size: 8, epochs: 1 } } })).watch;
}

const line = (step: number, time: number, values: object) => `${JSON.stringify({ step, time, ...values })}\n`;

const STEPS = [
  line(0, 100, { event: "begin", total_steps: 3 }),
  line(0, 101, { eval_loss: Math.LN2, eval_runtime: 0.5 }),
  line(1, 110, { loss: Math.LN2, "rewards/accuracies": 0 }),
  line(2, 120, { loss: 0.68, "rewards/accuracies": 1, learning_rate: 5e-5 }),
  line(2, 121, { eval_loss: 0.67, "eval_rewards/accuracies": 1 }),
];
const LAST = line(3, 130, { loss: 0.65, "rewards/accuracies": 1 });

const checkpoint = (step: number) => ({
  [`checkpoints/checkpoint-${step}/trainer_state.json`]: JSON.stringify({ global_step: step }),
  [`checkpoints/checkpoint-${step}/config.json`]: "{}",
  [`checkpoints/checkpoint-${step}/model.safetensors`]: tensors(),
});
const MODEL = { "model/config.json": "{}", "model/model.safetensors": tensors() };

test("before anything was written, nothing is known", async () => {
  for (const watch of [await trlWatch(), await nemoWatch()]) {
    expect(await readProgress(watch)).toEqual({
      step: 0,
      total_steps: 3,
      loss: null,
      validation_loss: null,
      metrics: {},
      eta_s: null,
      checkpoint: null,
    });
  }
});

test("TRL's lines tell step, losses and the time that is left; a line that is being written is not read", async () => {
  const watch = await trlWatch();
  await write(watch.output, { "metrics.jsonl": `${STEPS.join("")}{"step": 3, "ti` });
  expect(await readProgress(watch)).toMatchObject({
    step: 2,
    total_steps: 3,
    loss: 0.68,
    validation_loss: 0.67,
    metrics: { "rewards/accuracies": 1, learning_rate: 5e-5, "eval_rewards/accuracies": 1 },
    eta_s: 10,
  });
});

test("a run that goes on from a checkpoint logs steps again, and its time counts alone", async () => {
  const watch = await trlWatch();
  const resumed = [
    line(1, 9000, { event: "begin", total_steps: 3 }),
    line(2, 9010, { loss: 0.7 }),
    line(3, 9012, { loss: 0.6 }),
  ];
  await write(watch.output, { "metrics.jsonl": `${STEPS.join("")}{"half\n${resumed.join("")}` });
  expect(await readProgress(watch)).toMatchObject({ step: 3, loss: 0.6, eta_s: 0 });
});

test("NeMo RL's event files tell the same under our names, rewards multiplied by beta", async () => {
  const watch = await nemoWatch();
  await write(watch.output, { "logs/exp_001/tensorboard/events.out.tfevents.1.host": EVENT_FILE });
  const progress = await readProgress(watch);

  expect(progress).toMatchObject({ step: 3, total_steps: 3, eta_s: 0, checkpoint: null });
  expect(progress.loss).toBeCloseTo(0.66, 6);
  expect(progress.validation_loss).toBeCloseTo(0.67, 6);
  // beta is 0.1; the means of the third step are 0.5 and -0.25.
  expect(progress.metrics["rewards/chosen"]).toBeCloseTo(0.05, 7);
  expect(progress.metrics["rewards/margins"]).toBeCloseTo(0.075, 7);
  expect(progress.metrics["rewards/accuracies"]).toBeCloseTo(0.875, 7);
  expect(progress.metrics["eval_rewards/margins"]).toBeCloseTo(0.05, 7);
  expect(progress.metrics.learning_rate).toBeCloseTo(5e-6, 12);
  expect(Object.keys(progress.metrics).filter((name) => name.includes("ray"))).toEqual([]);
});

test("an event file that is cut anywhere tells what came before the cut", async () => {
  const watch = await nemoWatch();
  const seen = new Set<number>();
  for (let length = 0; length < EVENT_FILE.length; length += 97) {
    await write(watch.output, {
      "logs/exp_001/tensorboard/events.out.tfevents.1.host": EVENT_FILE.subarray(0, length),
    });
    seen.add((await readProgress(watch)).step);
  }
  expect([...seen]).toEqual([0, 1, 2, 3]);
});

test("a training is completed when all steps were made and the model is whole", async () => {
  const watch = await trlWatch();
  await write(watch.output, { "metrics.jsonl": STEPS.join("") + LAST, ...checkpoint(3), ...MODEL });
  expect(await judgeTraining(watch, { exit_code: 0 })).toMatchObject({
    status: "completed",
    problems: [],
    warnings: [],
    checkpoint: { step: 3, dir: join(watch.checkpoints, "checkpoint-3") },
  });
});

test("the newest checkpoint that is whole is found, and why newer ones are not", async () => {
  const watch = await trlWatch();
  await write(watch.output, {
    "metrics.jsonl": STEPS.join("") + LAST,
    ...checkpoint(1),
    ...checkpoint(2),
    "checkpoints/checkpoint-2/model.safetensors": tensors(16, 4),
    ...checkpoint(10),
    "checkpoints/checkpoint-10/trainer_state.json": "{",
    ...MODEL,
  });
  expect(await judgeTraining(watch, { exit_code: 0 })).toMatchObject({
    status: "failed",
    checkpoint: { step: 1 },
    problems: ["the last whole checkpoint is of step 1"],
    warnings: [
      expect.stringMatching(/checkpoint-10: trainer_state.json is missing or broken$/),
      expect.stringMatching(/checkpoint-2: model.safetensors has \d+ bytes and should have \d+$/),
    ],
  });
});

test("a checkpoint of NeMo RL needs its weights, in either of their forms", async () => {
  const watch = await nemoWatch();
  const info = JSON.stringify({ total_steps: 3 });
  await write(watch.output, {
    "checkpoints/step_3/training_info.json": info,
    "checkpoints/tmp_step_4/training_info.json": info,
    "checkpoints/step_3/policy/weights/__0_0.distcp": "x",
  });
  expect((await judgeTraining(watch, { exit_code: 0 })).warnings).toEqual([
    expect.stringMatching(/step_3: .*weights has no .metadata$/),
  ]);
  await write(watch.output, { "checkpoints/step_3/policy/weights/.metadata": "x" });
  expect((await readProgress(watch)).checkpoint?.step).toBe(3);

  const other = await nemoWatch();
  await write(other.output, {
    "checkpoints/step_3/training_info.json": info,
    "checkpoints/step_3/policy/weights/model/shard-00001.safetensors": tensors(),
  });
  expect((await readProgress(other)).checkpoint?.step).toBe(3);
});

test("an exit code of 0 without a step is a failure, with the log's last error", async () => {
  const watch = await nemoWatch();
  await write(watch.output, {
    "train.log": 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: an older start\n',
    "7-logs/ray-driver.log": `===== Step 1/3 =====\n\x1b[36m(Worker pid=12, ip=10.0.0.1)\x1b[0m torch.OutOfMemoryError: CUDA out of memory. ${"x".repeat(400)}\n(Worker pid=12) done\n`,
  });
  const later = new Date(Date.now() + 10_000);
  await utimes(join(watch.output, "7-logs/ray-driver.log"), later, later);

  const { status, problems } = await judgeTraining(watch, { exit_code: 0 });
  expect(status).toBe("failed");
  expect(problems.slice(0, 2)).toEqual(["no step was made", `${watch.checkpoints} has no whole checkpoint`]);
  expect(problems[2]).toMatch(/^the log's last error: torch.OutOfMemoryError: CUDA out of memory. x+…$/);
  expect(problems[2]!.length).toBeLessThan(350);
});

test("missing steps, an exit code, a loss that is no number and a missing model are told", async () => {
  const watch = await trlWatch();
  await write(watch.output, {
    "metrics.jsonl": STEPS.join("") + line(2, 125, { loss: "nan" }),
    "train.log": "slurmstepd: error: *** JOB 7 ON node1 CANCELLED AT 2026-01-01 DUE TO TIME LIMIT ***\n",
    ...checkpoint(2),
  });
  expect(await judgeTraining(watch, { exit_code: 1 })).toMatchObject({
    status: "failed",
    problems: [
      "it ended with exit code 1",
      "2 of 3 steps were made",
      "the loss of step 2 is no number",
      `${watch.output}/model was not written`,
      "the log's last error: slurmstepd: error: *** JOB 7 ON node1 CANCELLED AT 2026-01-01 DUE TO TIME LIMIT ***",
    ],
  });
});

test("another first loss, pairs that did not count and rows that were left out are warnings", async () => {
  const trl = await trlWatch(4);
  await write(trl.output, {
    "metrics.jsonl":
      line(0, 1, { event: "begin", total_steps: 2 }) + line(1, 2, { loss: 0.9 }) + line(2, 3, { loss: 0.8 }),
    ...checkpoint(2),
    ...MODEL,
  });
  expect(await judgeTraining(trl, { exit_code: null })).toMatchObject({
    status: "completed",
    warnings: [
      "the first loss is 0.9000 and should be 0.6931: the model did not begin as its own reference",
      "4 steps were planned, and the trainer counted 2: it left rows out",
    ],
  });

  const apart = await trlWatch(1);
  await write(apart.output, { "metrics.jsonl": STEPS.join("") + LAST });
  expect((await judgeTraining(apart, { exit_code: 0 })).warnings).toEqual([
    "1 steps were planned, and the trainer counted 3: its processes do not share a batch",
  ]);

  const nemo = await nemoWatch();
  await write(nemo.output, { "logs/exp_001/tensorboard/events.out.tfevents.1.host": EVENT_FILE });
  expect((await judgeTraining(nemo, { exit_code: 0 })).warnings).toEqual([
    "a step counted 7 of 8 pairs: the others are over the length limit",
  ]);
});
