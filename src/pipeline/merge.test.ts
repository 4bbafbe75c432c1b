import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { buildOptions, jsonLines, runFolder, storedRun } from "./__fixtures__/stored-runs.ts";
import { mergeRuns } from "./merge.ts";
import { buildPairs } from "./pairs.ts";

const FILES = ["pairs.jsonl", "dataset/training_file.jsonl", "dataset/validation_file.jsonl", "dataset/manifest.json"];
const runs = Array.from({ length: 30 }, (_, example) =>
  storedRun(example, [[`p${example % 20}`, { a: example / 30, b: 0.5, c: -1 }]]),
);

test("three shards give the files of one run, byte for byte", async () => {
  const whole = await runFolder(runs);
  await buildPairs(buildOptions([whole], { max_pairs: 25 }));
  const shards = [2, 0, 1].map((shard) => runFolder(runs.filter((_, place) => place % 3 === shard).reverse()));
  const output = await runFolder([]);
  const merged = await mergeRuns({ ...buildOptions(await Promise.all(shards), { max_pairs: 25 }), output });
  expect(merged).toMatchObject({ merged: 30, replaced: 0, pairs: { pairs: 25 } });
  expect((await jsonLines(output, "runs.jsonl")).map((run) => run.example_index)).toEqual(
    runs.map((_, place) => place),
  );
  for (const file of FILES) {
    expect(await readFile(join(output, file), "utf8")).toBe(await readFile(join(whole, file), "utf8"));
  }
});

test("of one key the later folder's last line wins, and failed runs are kept as such", async () => {
  const first = await runFolder([storedRun(0, [["p", { old: 1, x: 0 }]]), storedRun(1, [], { status: "failed" })]);
  const second = await runFolder([storedRun(0, [["p", { new: 1, x: 0 }]])]);
  const output = await runFolder([]);
  const merged = await mergeRuns({ ...buildOptions([first, second]), output });
  expect(merged).toMatchObject({ merged: 2, replaced: 1, pairs: { pairs: 1, failed_runs: 1 } });
  expect(await jsonLines(output, "pairs.jsonl")).toMatchObject([{ chosen: [{ content: "new" }] }]);
});
