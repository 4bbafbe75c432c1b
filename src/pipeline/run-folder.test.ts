import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunManifest } from "../records/manifest.ts";
import { effectiveChanges } from "./effective-changes.ts";
import { resolvePath } from "./resolve-path.ts";
import { createRunFolder, findUnfinishedRun, openRunFolder } from "./run-folder.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-run-"));
});
afterEach(() => rm(dir, { recursive: true }));

function manifest(started_at: string): Omit<RunManifest, "run_id"> {
  return {
    command: "eval",
    status: "running",
    pairwright_version: "0",
    node_version: "20",
    started_at,
    seed: 0,
    reps: 1,
    options: {},
    policy_only: false,
    inputs: {},
    outputs: {},
    asked: { examples: 2 },
    got: { completed: 0, failed: 0 },
    missing: {},
    counts: {},
    notes: [],
  };
}

test("runs of the same second get folders of their own, and `latest` leads to the newest", async () => {
  const first = await createRunFolder(dir, manifest("2026-01-01T10:00:00.000Z"));
  const second = await createRunFolder(dir, manifest("2026-01-01T10:00:00.500Z"));
  expect([first.manifest.run_id, second.manifest.run_id]).toEqual(["2026-01-01T10-00-00", "2026-01-01T10-00-00-2"]);
  expect(await readlink(join(dir, "latest"))).toBe("2026-01-01T10-00-00-2");
  await first.close();
  await second.close();
});

test("the newest run that is not done is the one to go on with: also one with failed examples", async () => {
  const ends = [
    ["2026-01-01T10:00:00.000Z", { status: "interrupted" }],
    ["2026-01-01T11:00:00.000Z", { status: "completed", got: { completed: 1, failed: 1 } }],
    ["2026-01-01T12:00:00.000Z", { status: "completed", got: { completed: 2, failed: 0 } }],
  ] as const;
  for (const [started_at, changes] of ends) {
    const folder = await createRunFolder(dir, manifest(started_at));
    await folder.update(changes);
    await folder.close();
  }
  expect((await findUnfinishedRun(dir, { command: "eval" }))?.started_at).toBe("2026-01-01T11:00:00.000Z");
  expect((await findUnfinishedRun(dir, { name: "2026-01-01T12-00-00", command: "eval" }))?.got.completed).toBe(2);
  // Another command's run, or another shard's, is not to be gone on with unasked.
  expect(await findUnfinishedRun(dir, { command: "collect" })).toBeUndefined();
  const shard = await createRunFolder(dir, { ...manifest("2026-01-01T13:00:00.000Z"), shard: { index: 2, of: 2 } });
  expect((await findUnfinishedRun(dir, { command: "eval", shard: { index: 1, of: 2 } }))?.shard).toBeUndefined();
  expect((await findUnfinishedRun(dir, { command: "eval", shard: { index: 2, of: 2 } }))?.shard?.index).toBe(2);
  await shard.close();
  await expect(findUnfinishedRun(dir, { name: "no-such-run", command: "eval" })).rejects.toMatchObject({
    code: "no_such_run",
    exit_code: 2,
  });
  expect(await findUnfinishedRun(join(dir, "nowhere"), { command: "eval" })).toBeUndefined();
});

test("one process writes into a run folder at a time", async () => {
  const folder = await createRunFolder(dir, manifest("2026-01-01T10:00:00.000Z"));
  await folder.close();
  await writeFile(folder.path("run.lock"), "1");
  await expect(openRunFolder(dir, folder.manifest)).rejects.toMatchObject({ code: "locked" });
});

test("a published file stands in the output folder, too, and a later run's takes its place", async () => {
  for (const text of ["one", "two"]) {
    const folder = await createRunFolder(dir, manifest("2026-01-01T10:00:00.000Z"));
    await writeFile(folder.path("workflow_output.json"), text);
    await folder.publish("workflow_output.json");
    await folder.close();
  }
  expect(await readFile(join(dir, "workflow_output.json"), "utf8")).toBe("two");
  expect(await readFile(join(dir, "2026-01-01T10-00-00", "workflow_output.json"), "utf8")).toBe("one");
});

test("an output folder that cannot be made is a usage error that says what to set", async () => {
  await writeFile(join(dir, "file"), "");
  await expect(createRunFolder(join(dir, "file/out"), manifest("2026-01-01T10:00:00.000Z"))).rejects.toMatchObject({
    code: "output_not_writable",
    exit_code: 2,
  });
});

test("what changed between two configurations is told by path; what decides no result may change", () => {
  const before = { llms: { a: { model_name: "m" } }, eval: { general: { max_concurrency: 8, output_dir: "x" } } };
  const after = {
    llms: { a: { model_name: "n" } },
    eval: { general: { max_concurrency: 64, output_dir: "y" } },
    split: {},
  };
  expect(effectiveChanges(before, after)).toEqual(["llms.a.model_name", "split"]);
  expect(effectiveChanges(before, structuredClone(before))).toEqual([]);
});

test("a dotted path stands beside the configuration, any other in the working folder first", async () => {
  await mkdir(join(dir, "configs"));
  for (const name of ["configs/here.json", "there.json"]) await writeFile(join(dir, name), "");
  expect(resolvePath("./here.json", join(dir, "configs"))).toBe(join(dir, "configs/here.json"));
  expect(resolvePath("../there.json", join(dir, "configs"))).toBe(join(dir, "there.json"));
  // The repository's own package.json is in the working folder of the tests.
  await writeFile(join(dir, "configs/package.json"), "");
  expect(resolvePath("package.json", join(dir, "configs"))).toBe(join(process.cwd(), "package.json"));
  expect(resolvePath("./package.json", join(dir, "configs"))).toBe(join(dir, "configs/package.json"));
  expect(resolvePath("nowhere.json", dir)).toBe(join(process.cwd(), "nowhere.json"));
});
