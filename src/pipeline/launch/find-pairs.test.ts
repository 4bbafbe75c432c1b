import { mkdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { oddFolder } from "./__fixtures__/tools.ts";
import { namedPairs, newestPairs } from "./find-pairs.ts";

async function put(path: string, at = 0): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, "");
  await utimes(path, at, at);
  return path;
}

async function runAt(dir: string, at: number): Promise<string> {
  await put(join(dir, "dataset", "manifest.json"), at);
  return await put(join(dir, "pairs.jsonl"));
}

test("the pairs that were built last are taken, of a run or of a launch's merge; what was not finished is not", async () => {
  await using folder = await oddFolder();
  const [evals, finetunes] = [join(folder.dir, "evals"), join(folder.dir, "finetunes")];
  await expect(newestPairs([evals, finetunes])).rejects.toMatchObject({ code: "no_pairs_yet", exit_code: 2 });
  const first = await runAt(join(evals, "2026-01-01T00-00-00"), 1);
  await put(join(evals, "2026-01-09T00-00-00", "pairs.jsonl"), 9);
  expect(await newestPairs([evals, finetunes])).toEqual({ training: first, validation: null });
  const merged = await runAt(join(evals, "launch-2026-01-02T00-00-00", "merged"), 2);
  expect(await newestPairs([evals, finetunes])).toEqual({ training: merged, validation: null });
  const last = await runAt(join(finetunes, "2026-01-03T00-00-00"), 3);
  expect(await newestPairs([evals, finetunes])).toEqual({ training: last, validation: null });
});

test("a run's folder, a data set's folder and a file are known by what they hold", async () => {
  await using folder = await oddFolder();
  const pairs = await runAt(join(folder.dir, "run"), 1);
  expect(await namedPairs(join(folder.dir, "run"), undefined)).toEqual({ training: pairs, validation: null });
  const training = await put(join(folder.dir, "data", "dataset", "training_file.jsonl"));
  const validation = await put(join(folder.dir, "data", "dataset", "validation_file.jsonl"));
  for (const dir of ["data", "data/dataset"]) {
    expect(await namedPairs(join(folder.dir, dir), undefined)).toEqual({ training, validation });
  }
  expect(await namedPairs(training, validation)).toEqual({ training, validation });
  await expect(namedPairs(join(folder.dir, "data"), validation)).rejects.toMatchObject({ code: "usage" });
  await expect(namedPairs(join(folder.dir, "nowhere"), undefined)).rejects.toMatchObject({ code: "no_such_file" });
  await expect(namedPairs(training, "nowhere")).rejects.toMatchObject({ code: "no_such_file" });
  await expect(namedPairs(folder.dir, undefined)).rejects.toMatchObject({ code: "no_pairs_here" });
});
