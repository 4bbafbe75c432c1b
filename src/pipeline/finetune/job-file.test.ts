import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger } from "../../lib/log.ts";
import { createJobFile, openJobFile, readJobRecord } from "./job-file.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-job-"));
});
afterEach(() => rm(dir, { recursive: true }));

let now = 0;
const options = { clock: { now: () => now }, scrub: (text: string) => text };
const facts = { run_id: "r", tag: "t", trainer_adapter: "a", type: "fake", place: "memory" };
const { signal } = new AbortController();

async function reopened() {
  const file = await openJobFile(dir, options);
  if (file === undefined) throw new Error("there is no job.json");
  return file.steps(signal, silentLogger);
}

test("a step is written down before it begins and after it has ended, and is done once", async () => {
  const { steps } = await createJobFile(dir, facts, [], options);
  now = 1000;
  const seen: unknown[] = [];
  const outcome = await steps(signal, silentLogger).step("make", { name: "x" }, async (again) => {
    seen.push(again, (await readJobRecord(dir))?.steps.make);
    now = 2000;
    return { id: "x-1" };
  });
  expect(outcome).toEqual({ id: "x-1" });
  const begun = { intent: { name: "x" }, begun_at: "1970-01-01T00:00:01.000Z" };
  expect(seen).toEqual([false, begun]);
  expect((await readJobRecord(dir))?.steps.make).toEqual({
    ...{ ...begun, done_at: "1970-01-01T00:00:02.000Z", outcome: { id: "x-1" } },
  });

  const never = async () => expect.unreachable("it is done");
  expect(await (await reopened()).step("make", { name: "x" }, never)).toEqual({ id: "x-1" });
});

test("a step that ended in an error is told that it was begun, and so is one that is to do something else now", async () => {
  const { steps } = await createJobFile(dir, facts, [], options);
  const fails = async () => {
    throw new Error("killed");
  };
  await expect(steps(signal, silentLogger).step("make", { name: "x" }, fails)).rejects.toThrow("killed");
  const said: boolean[] = [];
  const works = async (again: boolean) => {
    said.push(again);
    return null;
  };
  await (await reopened()).step("make", { name: "x" }, works);
  await (await reopened()).step("make", { name: "y" }, works);
  expect(said).toEqual([true, true]);
});

test("a job.json that cannot be read is no reason to make a second job", async () => {
  expect(await openJobFile(dir, options)).toBeUndefined();
  await writeFile(join(dir, "job.json"), '{"run_id": "r"');
  await expect(openJobFile(dir, options)).rejects.toMatchObject({ code: "bad_job_file", exit_code: 2 });
});
