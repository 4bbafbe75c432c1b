import { join } from "node:path";
import { expect, test } from "vitest";
import { runFolder, storedRun } from "./__fixtures__/stored-runs.ts";
import { openRunIndex, type RunIndexOptions } from "./run-lines.ts";
import { storedRuns } from "./source.ts";

async function read(folders: string[], options: RunIndexOptions = {}) {
  await using index = await openRunIndex(
    folders.map((folder) => join(folder, "runs.jsonl")),
    options,
  );
  const runs: string[] = [];
  for await (const batch of storedRuns(index)) {
    for (const { run } of batch) runs.push(`${run.example_id}/${run.rep}/${run.run_index} ${run.output}`);
  }
  const { size, failed, superseded, warnings } = index;
  return { runs, size, failed, superseded, warnings };
}

const run = (example: number, output = "a", change = {}) => storedRun(example, [], { output, ...change });

test("runs come in the data set's order, then by rep and run", async () => {
  const folder = await runFolder([run(2), run(10), run(1, "b", { rep: 1 }), run(1, "c", { run_index: 1 }), run(1)]);
  expect((await read([folder])).runs).toEqual(["e1/0/0 a", "e1/0/1 c", "e1/1/0 b", "e2/0/0 a", "e10/0/0 a"]);
});

test("the last line of a key wins, and a run that failed at last is no run", async () => {
  const failed = { status: "failed" as const };
  const folder = await runFolder([
    run(1, "old"),
    run(2, "x", failed),
    run(3),
    run(1, "new"),
    run(2, "well"),
    run(3, "y", failed),
  ]);
  expect(await read([folder])).toMatchObject({ runs: ["e1/0/0 new", "e2/0/0 well"], failed: 1, superseded: 3 });
  expect((await read([folder], { with_failed: true })).runs).toEqual(["e1/0/0 new", "e2/0/0 well", "e3/0/0 y"]);
});

test("a key of two files counts twice, or once, the later file's", async () => {
  const folders = [await runFolder([run(1, "one"), run(2)]), await runFolder([run(1, "two")])];
  expect((await read(folders)).runs).toEqual(["e1/0/0 one", "e1/0/0 two", "e2/0/0 a"]);
  expect(await read(folders, { one_of_each_key: true })).toMatchObject({
    runs: ["e1/0/0 two", "e2/0/0 a"],
    superseded: 1,
  });
});

test("only the examples that are wanted count", async () => {
  const folder = await runFolder([run(1), run(2, "x", { status: "failed" }), run(3), run(1, "again")]);
  expect(await read([folder], { only: new Set(["e1"]) })).toMatchObject({ runs: ["e1/0/0 again"], failed: 0 });
});

test("a last line that is cut off is left out and said; a whole one only lacks its newline", async () => {
  const text = JSON.stringify(run(2));
  const cut = await read([await runFolder([run(1), text.slice(0, -9)])]);
  expect(cut).toMatchObject({
    runs: ["e1/0/0 a"],
    warnings: [expect.stringMatching(/runs\.jsonl:2: the last line is cut off/)],
  });
  expect(await read([await runFolder([run(1), text])])).toMatchObject({ runs: ["e1/0/0 a", "e2/0/0 a"], warnings: [] });
});

test("ids are read as JSON has them, however long, and fields may stand in another order", async () => {
  const odd = { example_id: `"\\ é ${"x".repeat(2000)}` };
  const { example_id, ...others } = run(2);
  const folder = await runFolder([
    run(1, "old", odd),
    run(1, "new", odd),
    `${JSON.stringify({ ...others, example_id })}\n`,
  ]);
  expect(await read([folder])).toMatchObject({ runs: [`${odd.example_id}/0/0 new`, "e2/0/0 a"], superseded: 1 });
});

test.each([
  ["not JSON\n", "this line is not JSON"],
  ['{"a":1}\n', "this line is no run"],
  ["null\n", "this line is no run"],
])("a line that is no run is an error with file and line: %s", async (line, what) => {
  const folder = await runFolder([run(1), line, run(2)]);
  const where = expect.stringMatching(/runs\.jsonl:2$/);
  await expect(read([folder])).rejects.toMatchObject({
    code: "bad_line",
    where,
    what: expect.stringContaining(what),
    exit_code: 2,
  });
});

test("a run whose steps are no list is an error with file and line", async () => {
  const folder = await runFolder([run(1), `${JSON.stringify({ ...run(2), steps: "none" })}\n`]);
  await expect(read([folder])).rejects.toMatchObject({ code: "bad_line", where: expect.stringMatching(/:2$/) });
});

test("empty lines are passed over", async () => {
  expect((await read([await runFolder([run(1), "\n\n", run(2)])])).runs).toEqual(["e1/0/0 a", "e2/0/0 a"]);
});
