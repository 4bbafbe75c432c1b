import { appendFile, copyFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { buildOptions, runFolder, storedRun } from "./__fixtures__/stored-runs.ts";
import { buildPairs } from "./build-pairs.ts";
import { lintPairFiles } from "./lint-files.ts";

async function built() {
  const runs = Array.from({ length: 40 }, (_, example) => storedRun(example, [[`p${example}`, { good: 1, poor: 0 }]]));
  const folder = await runFolder(runs);
  const summary = await buildPairs(buildOptions([folder]));
  expect(summary.validation).toBeGreaterThan(2);
  return folder;
}

test("what a build writes has no fault, whichever way it is named", async () => {
  const folder = await built();
  const training = join(folder, "dataset/training_file.jsonl");
  const validation = join(folder, "dataset/validation_file.jsonl");
  const clean = { faults: {}, findings: [], has_errors: false };
  expect(await lintPairFiles([folder])).toMatchObject({
    ...clean,
    rows: 80,
    files: [join(folder, "pairs.jsonl"), training, validation],
  });
  expect(await lintPairFiles([join(folder, "dataset")])).toMatchObject({ ...clean, rows: 40 });
  expect(await lintPairFiles([training, validation])).toMatchObject({
    ...clean,
    rows: 40,
    files: [training, validation],
  });
});

test("a validation file that repeats training is an error", async () => {
  const folder = await built();
  const training = join(folder, "dataset/training_file.jsonl");
  const validation = join(folder, "dataset/validation_file.jsonl");
  await copyFile(training, validation);
  const report = await lintPairFiles([training, validation]);
  expect(report.has_errors).toBe(true);
  expect(report.faults).toMatchObject({ split_overlap: report.rows / 2 });
  expect(report.findings.find(({ kind }) => kind === "split_overlap")).toMatchObject({ file: validation, line: 1 });
});

test("a line that is not JSON, and a path with nothing in it, are errors of use", async () => {
  const folder = await built();
  await appendFile(join(folder, "pairs.jsonl"), "{oh\n");
  await expect(lintPairFiles([folder])).rejects.toMatchObject({
    code: "bad_line",
    where: expect.stringMatching(/pairs\.jsonl:41$/),
  });
  await expect(lintPairFiles([join(folder, "none")])).rejects.toMatchObject({ code: "nothing_to_lint", exit_code: 2 });
  await expect(lintPairFiles([await runFolder([])])).rejects.toMatchObject({ code: "nothing_to_lint" });
});

test("each data set says how far length tells what is preferred", async () => {
  const runs = Array.from({ length: 40 }, (_, example) =>
    storedRun(example, [[`p${example}`, { longest: 1, poor: 0 }]]),
  );
  const folder = await runFolder(runs);
  await buildPairs(buildOptions([folder]));
  const { data_sets } = await lintPairFiles([folder]);
  expect(data_sets).toEqual([
    { files: [join(folder, "pairs.jsonl")], rows: 40, length_correlation: 1 },
    { files: [expect.any(String), expect.any(String)], rows: 40, length_correlation: 1 },
  ]);
});
