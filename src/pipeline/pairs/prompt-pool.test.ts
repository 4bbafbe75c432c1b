import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { buildOptions, type Replies, runFolder, storedRun } from "./__fixtures__/stored-runs.ts";
import { buildPairs } from "./build-pairs.ts";

const FILES = ["pairs.jsonl", "dataset/training_file.jsonl", "dataset/validation_file.jsonl", "dataset/manifest.json"];
const filesOf = (folder: string) => Promise.all(FILES.map((file) => readFile(join(folder, file), "utf8")));

const random = seededRandom(4);
const draw = (below: number) => Math.floor(random() * below);
/** Few prompts and replies, so that both come again; scores of equal replies differ, some are none, some replies are cut off or failed. */
const runs = Array.from({ length: 60 }, (_, example) => {
  const turn = (): [string, Replies] => {
    const replies = Array.from({ length: 4 }, () => [`r${draw(6)} “é”`, draw(9) === 0 ? null : draw(8) / 7] as const);
    return [`prompt ${draw(12)}`, Object.fromEntries(replies)];
  };
  const run = storedRun(example, [turn(), turn(), turn()]);
  for (const { payload } of run.steps as unknown as { payload: { metadata: Record<string, unknown> } }[]) {
    if (draw(5) === 0) payload.metadata.finish_reason = "length";
    if (draw(7) === 0) payload.metadata.model = null;
  }
  return run;
});
const builder = { group_by: "prompt", pair_mode: "best_vs_lower", policy_candidates_only: true };

test("with the pool of the builds before, a build gives what it would give of all their runs", async () => {
  const whole = await runFolder(runs);
  const expected = await buildPairs(buildOptions([whole], { builder }));
  expect(expected.pairs).toBeGreaterThan(20);

  let from: string | undefined;
  let last = "";
  for (const part of [runs.slice(0, 25), runs.slice(25, 26), runs.slice(26)]) {
    last = await runFolder(part);
    const to = join(last, "replay.jsonl");
    const { output: _, ...summary } = await buildPairs(buildOptions([last], { builder, pool: { from, to } }));
    from = to;
    if (part.at(-1) === runs.at(-1)) expect({ ...summary, output: whole }).toEqual(expected);
  }
  expect(await filesOf(last)).toEqual(await filesOf(whole));
  expect((await readdir(last)).sort()).toEqual(["dataset", "pairs.jsonl", "replay.jsonl", "runs.jsonl"]);
});

test("a pool that is none is told with its line, and a build that fails leaves no pool", async () => {
  const folder = await runFolder(runs.slice(0, 3));
  const from = join(folder, "replay.jsonl");
  const to = join(folder, "next.jsonl");
  await writeFile(from, '{"runs":0}\n{"promt":"x"}\n');
  const build = () => buildPairs(buildOptions([folder], { builder, pool: { from, to } }));
  await expect(build()).rejects.toMatchObject({ code: "bad_line", where: `${from}:2` });
  await writeFile(from, '{"runs":');
  await expect(build()).rejects.toMatchObject({ code: "bad_line", where: `${from}:1` });
  await writeFile(from, "");
  await expect(build()).rejects.toMatchObject({ code: "bad_line", where: `${from}:1` });
  expect((await readdir(folder)).filter((name) => name.endsWith("jsonl") || name.includes("next")).sort()).toEqual([
    "replay.jsonl",
    "runs.jsonl",
  ]);
});
