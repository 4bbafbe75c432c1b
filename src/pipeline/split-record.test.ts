import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SPLIT_SALT } from "../datasets/split.ts";
import { buildOptions, runFolder, storedRun } from "./pairs/__fixtures__/stored-runs.ts";
import { buildPairs } from "./pairs/build-pairs.ts";
import { recordSplit, splitFor, splitWarnings } from "./split-record.ts";

const folder = () => mkdtemp(join(tmpdir(), "pairwright-split-"));
const auto = { validation: 0.2, by: "auto" as const };

test("once an output folder was split by prompt it stays so", async () => {
  const dir = await folder();
  expect(await splitFor(dir, auto)).toEqual(auto);
  await recordSplit(dir, { by: "prompt", validation: 0.2 });
  const split = await splitFor(dir, auto);
  expect(split).toMatchObject({ validation: 0.2, by: "prompt" });
  expect(splitWarnings(split, "prompt")).toEqual([]);
});

test.each([
  [
    "by example before",
    { by: "example", validation: 0.2, salt: SPLIT_SALT },
    "prompt",
    "by example, this one by prompt",
  ],
  ["by group before", { by: "group", validation: 0.2, salt: SPLIT_SALT }, "example", "by group, this one by example"],
  ["another share", { by: "example", validation: 0.5, salt: SPLIT_SALT }, "example", "with 0.5 for validation"],
  ["another salt", { by: "example", validation: 0.2, salt: "old" }, "example", "with another salt"],
] as const)("a split that is not as it was is followed, and said: %s", async (_, before, by, says) => {
  const dir = await folder();
  await writeFile(join(dir, "split.json"), JSON.stringify(before));
  const split = await splitFor(dir, auto);
  expect(split).toMatchObject(auto);
  expect(splitWarnings(split, by)).toEqual([expect.stringContaining(says)]);
});

test("the summary of a build says that the split came out otherwise than before", async () => {
  const dir = await folder();
  await recordSplit(dir, { by: "example", validation: 0.2 });
  const shared = Array.from({ length: 40 }, (_, example) => storedRun(example, [[`p${example % 20}`, { a: 1, b: 0 }]]));
  const split = await splitFor(dir, auto);
  const summary = await buildPairs(buildOptions([await runFolder(shared)], { split, deduplicate_pairs: false }));
  expect(summary.split.by).toBe("prompt");
  expect(summary.warnings).toEqual([expect.stringContaining("by example, this one by prompt")]);
});

test("a record that cannot be read is an error of use, not a new beginning", async () => {
  const dir = await folder();
  await writeFile(join(dir, "split.json"), "{");
  await expect(splitFor(dir, auto)).rejects.toMatchObject({ code: "bad_split_record", exit_code: 2 });
});
