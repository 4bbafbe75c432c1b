import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { SPLIT_SALT } from "../../datasets/split.ts";
import { readManifest } from "../run-folder.ts";
import { buildOptions, jsonLines, runFolder, storedRun } from "./__fixtures__/stored-runs.ts";
import { buildPairs } from "./build-pairs.ts";
import { mergeRuns } from "./merge-runs.ts";
import { rebuildPairs } from "./rebuild.ts";

const FILES = ["pairs.jsonl", "dataset/training_file.jsonl", "dataset/validation_file.jsonl", "dataset/manifest.json"];
const runs = Array.from({ length: 30 }, (_, example) =>
  storedRun(example, [[`p${example % 20}`, { a: example / 30, b: 0.5, c: -1 }]]),
);

test.each(["dpo", "sft"] as const)(
  "three shards give the files of one run, byte for byte: %s",
  async (training_type) => {
    const whole = await runFolder(runs);
    const change = { max_pairs: 25, training_type };
    await buildPairs(buildOptions([whole], change));
    const shards = [2, 0, 1].map((shard) => runFolder(runs.filter((_, place) => place % 3 === shard).reverse()));
    const output = await runFolder([]);
    const merged = await mergeRuns({ ...buildOptions(await Promise.all(shards), change), output });
    expect(merged).toMatchObject({ merged: 30, replaced: 0, pairs: { pairs: 25 } });
    expect((await jsonLines(output, "runs.jsonl")).map((run) => run.example_index)).toEqual(
      runs.map((_, place) => place),
    );
    for (const file of FILES) {
      expect(await readFile(join(output, file), "utf8")).toBe(await readFile(join(whole, file), "utf8"));
    }
  },
);

test("of one key the later folder's last line wins, and failed runs are kept as such", async () => {
  const first = await runFolder([storedRun(0, [["p", { old: 1, x: 0 }]]), storedRun(1, [], { status: "failed" })]);
  const second = await runFolder([storedRun(0, [["p", { new: 1, x: 0 }]])]);
  const output = await runFolder([]);
  const merged = await mergeRuns({ ...buildOptions([first, second]), output });
  expect(merged).toMatchObject({ merged: 2, replaced: 1, pairs: { pairs: 1, failed_runs: 1 } });
  expect(await jsonLines(output, "pairs.jsonl")).toMatchObject([{ chosen: [{ content: "new" }] }]);
});

test("a failed run never replaces one that another folder has completed", async () => {
  const well = storedRun(0, [["p", { a: 1, b: 0 }]]);
  const failed = storedRun(0, [], { status: "failed" });
  for (const order of [
    [well, failed],
    [failed, well],
  ]) {
    const output = await runFolder([]);
    const folders = await Promise.all(order.map((run) => runFolder([run])));
    expect(await mergeRuns({ ...buildOptions(folders), output })).toMatchObject({ merged: 1, replaced: 1 });
    expect(await jsonLines(output, "runs.jsonl")).toMatchObject([{ status: "completed" }]);
  }
});

test("runs of different seeds are refused, and the seed of equal ones is taken over", async () => {
  const seeded = (seed: number) => runFolder(runs.map((run) => ({ ...run, seed })));
  const [one, other, output] = await Promise.all([seeded(1), seeded(2), runFolder([])]);
  const { seed: _, ...options } = buildOptions([one, other], { max_pairs: 5 });
  await expect(mergeRuns({ ...options, output })).rejects.toMatchObject({
    code: "different_runs",
    what: expect.stringContaining("the seed (2, and 1 in "),
    exit_code: 2,
  });
  await mergeRuns({ ...options, runs: [one], output });
  const manifest = JSON.parse(await readFile(join(output, "dataset/manifest.json"), "utf8"));
  expect(manifest).toMatchObject({ seed: 1, max_pairs: 5 });
});

const MANIFEST = {
  run_id: "r",
  command: "collect",
  status: "completed",
  pairwright_version: "0",
  node_version: "20",
  started_at: "2026-01-01T00:00:00.000Z",
  seed: 0,
  reps: 1,
  policy_only: false,
  inputs: { dataset: "d" },
  outputs: {},
  asked: { examples: 30 },
  got: { completed: 30, failed: 1 },
  missing: { llm_timeout: 1 },
  counts: {},
  notes: [],
};
async function told(change: object, config = "workflow: {_type: a}") {
  const folder = await runFolder(runs);
  await writeFile(join(folder, "manifest.json"), JSON.stringify({ ...MANIFEST, ...change }));
  await writeFile(join(folder, "config_effective.yml"), config);
  return folder;
}

test.each([
  ["dataset", { inputs: { dataset: "e" } }, undefined],
  ["--policy-only", { policy_only: true }, undefined],
  ["workflow._type", {}, "workflow: {_type: b}"],
])("runs that differ in %s are refused", async (what, change, config) => {
  const folders = [await told({}), await told(change, config)];
  await expect(mergeRuns({ ...buildOptions(folders), output: await runFolder([]) })).rejects.toMatchObject({
    code: "different_runs",
    what: expect.stringContaining(what),
  });
});

test("what only says where things are may differ", async () => {
  const at = (url: string) => `llms: {m: {_type: openai, base_url: "${url}"}}`;
  const folders = [await told({}, at("http://a")), await told({}, at("http://b"))];
  expect(await mergeRuns({ ...buildOptions(folders), output: await runFolder([]) })).toMatchObject({ merged: 30 });
});

test("an input folder is no place for the merged run", async () => {
  const folder = await runFolder(runs);
  await expect(
    mergeRuns({ ...buildOptions([folder]), output: join(folder, "../", folder.split("/").at(-1) ?? "") }),
  ).rejects.toMatchObject({ code: "output_is_input", exit_code: 2 });
  expect(await readdir(folder)).toEqual(["runs.jsonl"]);
});

test("the folder of a collected run is no place for the merged run either", async () => {
  const output = await told({});
  await expect(mergeRuns({ ...buildOptions([await runFolder(runs)]), output })).rejects.toMatchObject({
    code: "output_is_run",
  });
});

test("the merged folder keeps the configuration of its runs", async () => {
  const output = await runFolder([]);
  await mergeRuns({ ...buildOptions([await told({})]), output });
  expect(await readFile(join(output, "config_effective.yml"), "utf8")).toBe("workflow: {_type: a}");
});

test("where another process writes, nothing is built or merged", async () => {
  const folder = await runFolder(runs);
  // The first process of the machine is always there.
  await writeFile(join(folder, "run.lock"), "1");
  await expect(rebuildPairs(buildOptions([folder]))).rejects.toMatchObject({ code: "locked" });
  const input = await runFolder(runs);
  await expect(mergeRuns({ ...buildOptions([input]), output: folder })).rejects.toMatchObject({ code: "locked" });
  expect((await readdir(folder)).sort()).toEqual(["run.lock", "runs.jsonl"]);
});

test("the lock is kept until the last file is written", async () => {
  const folder = await runFolder(runs);
  const building = rebuildPairs(buildOptions([folder]));
  let locked = 0;
  for (;;) {
    const written = existsSync(join(folder, "dataset", "manifest.json"));
    if (written) break;
    if (existsSync(join(folder, "run.lock"))) locked += 1;
    else if (locked > 0) throw new Error("the lock is gone, the files are not there");
    await setImmediate();
  }
  await building;
  expect(locked).toBeGreaterThan(0);
  expect(existsSync(join(folder, "run.lock"))).toBe(false);
});

test.each([
  ["a launch", "launch-1/merged", "launch-1/launch.json"],
  ["runs", "merged", "latest"],
])(
  "in an output folder of %s the split is noted there, and follows that of earlier data sets",
  async (_, name, mark) => {
    const output_dir = await runFolder([]);
    const output = join(output_dir, name);
    await mkdir(join(output_dir, "launch-1"));
    await (mark === "latest" ? symlink("launch-1", join(output_dir, mark)) : writeFile(join(output_dir, mark), "{}"));
    const shards = await Promise.all([runFolder(runs.slice(0, 15)), runFolder(runs.slice(15))]);
    const first = await mergeRuns({ ...buildOptions(shards), output });
    expect(first.pairs.split.by).toBe("prompt");
    const record = { by: "prompt", validation: 0.2, salt: SPLIT_SALT };
    expect(JSON.parse(await readFile(join(output_dir, "split.json"), "utf8"))).toEqual(record);

    // By themselves, examples that share no prompt would be split by example.
    const alone = buildOptions([await runFolder(runs.slice(0, 15))]);
    const elsewhere = join(await runFolder([]), "merged");
    expect((await mergeRuns({ ...alone, output: elsewhere })).pairs.split.by).toBe("example");
    expect(existsSync(join(elsewhere, "../split.json"))).toBe(false);
    expect((await mergeRuns({ ...alone, output })).pairs).toMatchObject({ split: { by: "prompt" }, warnings: [] });
    // And so are pairs that are built of it again; those in a folder of their own are nobody's.
    expect(await rebuildPairs(buildOptions([output]))).toMatchObject({ split: { by: "prompt" }, warnings: [] });
    const own = await rebuildPairs(buildOptions([output], { output: join(output_dir, "pairs") }));
    expect(own.split.by).toBe("example");

    await writeFile(join(output_dir, "split.json"), "{");
    const before = await readFile(join(output, "runs.jsonl"), "utf8");
    await expect(mergeRuns({ ...buildOptions(shards), output })).rejects.toMatchObject({ code: "bad_split_record" });
    expect(await readFile(join(output, "runs.jsonl"), "utf8")).toBe(before);
  },
);

test("pairs built again in a run's folder change its manifest, and keep to the output folder's split", async () => {
  const output_dir = await runFolder([]);
  const folder = join(output_dir, "r");
  await mkdir(folder);
  await writeFile(join(folder, "runs.jsonl"), runs.map((run) => `${JSON.stringify(run)}\n`).join(""));
  await writeFile(join(folder, "manifest.json"), JSON.stringify(MANIFEST));
  const first = await rebuildPairs(buildOptions([folder], { builder: { min_score_diff: 0.6 } }));
  expect(first.skipped.below_min_score_diff).toBeGreaterThan(0);
  expect(await readManifest(folder)).toMatchObject({
    counts: { pairs: first.pairs, turns: 30, candidates: 90 },
    missing: { llm_timeout: 1, ...first.skipped },
  });
  expect(JSON.parse(await readFile(join(output_dir, "split.json"), "utf8"))).toMatchObject({ by: first.split.by });

  await writeFile(join(output_dir, "split.json"), JSON.stringify({ by: "group", validation: 0.2, salt: "old" }));
  const second = await rebuildPairs(buildOptions([folder]));
  expect(second.warnings).toContainEqual(expect.stringContaining("with another salt"));
  const manifest = await readManifest(folder);
  expect(manifest?.missing).toEqual({ llm_timeout: 1, ...second.skipped });
  expect(manifest?.notes).toEqual(second.warnings);
  expect((await readdir(folder)).sort()).toEqual(["dataset", "manifest.json", "pairs.jsonl", "runs.jsonl"]);
});
