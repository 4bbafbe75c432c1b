import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findDatasetFiles } from "./dataset-files.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "pairwright-dataset-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

test("a data set is a file, or a folder with a file to train on and perhaps one to validate on", async () => {
  const dir = join(root, "dataset");
  const training_file = join(dir, "training_file.jsonl");
  const validation_file = join(dir, "validation_file.jsonl");
  await mkdir(dir);
  await expect(findDatasetFiles(dir)).rejects.toMatchObject({
    code: "dataset_missing",
    where: dir,
    what: "the folder holds no training_file.jsonl",
  });

  await writeFile(training_file, "{}\n");
  expect(await findDatasetFiles(training_file)).toEqual({ training_file, validation_file: null });
  expect(await findDatasetFiles(dir)).toEqual({ training_file, validation_file: null });
  await writeFile(validation_file, "");
  expect(await findDatasetFiles(dir)).toEqual({ training_file, validation_file: null });
  await writeFile(validation_file, "{}\n");
  expect(await findDatasetFiles(dir)).toEqual({ training_file, validation_file });
});

test("a path where nothing is, is an error that names it", async () => {
  for (const path of [join(root, "nowhere"), join(root, "dataset", "training_file.jsonl", "x")]) {
    await expect(findDatasetFiles(path)).rejects.toMatchObject({ code: "dataset_missing", where: path, exit_code: 2 });
  }
});
