import { expect, test } from "vitest";
import type { TrainingResult } from "../../engine/train/training-job.ts";
import { firstStatus, withCurves, withLog, withRecord, withResult, withStatus } from "./job-progress.ts";
import type { StoredJob } from "./stored.ts";

/** What these functions look at. */
function job(log_every_n_steps = 10): StoredJob {
  return { status: "running", status_details: firstStatus("t0"), _plan: { log_every_n_steps } } as unknown as StoredJob;
}

/** `count` steps, ten to an epoch of which the last is validated. */
function* records(count: number, from = 1) {
  for (let step = from; step <= count; step += 1) {
    yield { step, epoch: step / 10, loss: 1 / step };
    if (step % 10 === 0) yield { step, epoch: step / 10, eval_loss: 2 / step };
  }
}

const told = (start: StoredJob, steps: number, count: number, from = 1) =>
  [...records(count, from)].reduce((at, record) => withRecord(at, { record, steps, at: `t${record.step}` }), start);

const curve = ({ status_details }: StoredJob, name: string) =>
  status_details.metrics.metrics[name]?.map(({ step, value, timestamp }) => [step, value, timestamp]);

test("steps count from 0 in curves, one point every ten steps and one a validation", () => {
  const { status_details } = told(job(), 50, 25);
  expect(status_details).toMatchObject({
    ...{ steps_completed: 25, steps_per_epoch: 10, epochs_completed: 2, percentage_done: 50, updated_at: "t25" },
  });
  expect(curve(told(job(), 50, 25), "train_loss")).toEqual([
    [9, 1 / 10, "t10"],
    [19, 1 / 20, "t20"],
  ]);
  expect(curve(told(job(), 50, 25), "val_loss")).toEqual([
    [9, 2 / 10, "t10"],
    [19, 2 / 20, "t20"],
  ]);
});

test("a job that goes on from an earlier checkpoint writes over what it does again", () => {
  const before = told(job(1), 50, 25);
  const after = told(before, 50, 30, 21);
  expect(curve(after, "train_loss")?.map(([step]) => step)).toEqual(Array.from({ length: 30 }, (_, index) => index));
});

test("curves are made whole from what the engine wrote, and known points keep their time", async () => {
  const heard = told(job(), 50, 10);
  async function* written() {
    yield* records(30);
  }
  expect(curve(await withCurves(heard, written(), "late"), "train_loss")).toEqual([
    [9, 1 / 10, "t10"],
    [19, 1 / 20, "late"],
    [29, 1 / 30, "late"],
  ]);
});

test("a curve stays bounded, and keeps its first and its last point", () => {
  const steps = told(job(1), 9000, 9000);
  const points = curve(steps, "train_loss") ?? [];
  expect(points.length).toBeLessThanOrEqual(2001);
  expect(points.length).toBeGreaterThan(900);
  expect([points[0]?.[0], points.at(-1)?.[0]]).toEqual([0, 8999]);
});

test("of the chosen replies' rewards the last steps are kept, every one, however seldom curves get a point", () => {
  const heard = Array.from({ length: 25 }, (_, at) => ({ step: at + 1, "rewards/chosen": at })).reduce(
    (at, record) => withRecord(at, { record, steps: 25, at: "t" }),
    job(),
  );
  expect(curve(heard, "train_chosen_reward")?.map(([, value]) => value)).toEqual(
    Array.from({ length: 20 }, (_, at) => at + 5),
  );
});

test("what came out: the lowest loss that was noted, and the epoch of the best validation", () => {
  const result = { steps: 25, loss: { first: 1, last: 0.04 }, validation_loss: 0.1 } as TrainingResult;
  expect(withResult(told(job(), 25, 25), result).status_details).toMatchObject({
    ...{ train_loss: 1 / 20, val_loss: 0.1, best_epoch: 2 },
  });
  expect(withResult(job(), result).status_details).toMatchObject({ train_loss: 0.04, best_epoch: 1 });
});

test("states and lines come with their time, and a detail only where there is one", () => {
  const failed = withStatus(withLog(job(), { at: "t1", message: "Warning", detail: "w" }), "failed", {
    ...{ at: "t2", message: "TrainingJobFailed", detail: "why" },
  });
  expect([failed.status, failed.status_details.status, failed.updated_at]).toEqual(["failed", "failed", "t2"]);
  expect(failed.status_details.status_logs).toEqual([
    { updated_at: "t0", message: "created" },
    { updated_at: "t1", message: "Warning", detail: "w" },
    { updated_at: "t2", message: "TrainingJobFailed", detail: "why" },
  ]);
});
