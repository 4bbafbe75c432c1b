import { existsSync } from "node:fs";
import { appendFile, mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runFolder, storedRun } from "./__fixtures__/stored-runs.ts";
import type { BuildPairsOptions } from "./build-pairs.ts";

// Threads run built files alone; `npm test` builds them first.
const dist = new URL("../../../dist/", import.meta.url).pathname;
const testBuilt = test.skipIf(!existsSync(join(dist, "pipeline/pairs/worker.js")));
const FILES = ["pairs.jsonl", "dataset/training_file.jsonl", "dataset/validation_file.jsonl", "dataset/manifest.json"];

async function build(runs: string, threads: number, change: Partial<BuildPairsOptions> = {}) {
  const { buildPairs } = await import(join(dist, "pipeline/pairs/build-pairs.js"));
  const { dpoTrajBuilder } = await import(join(dist, "preferences/dpo-traj-builder.js"));
  const { DpoTrajBuilderOptions } = await import(join(dist, "preferences/dpo-traj-builder-options.js"));
  const { nemoCustomizer } = await import(join(dist, "datasets/formats/nemo-customizer.js"));
  const output = await mkdtemp(join(tmpdir(), "pairwright-threads-"));
  await buildPairs({
    runs: [runs],
    output,
    builder: dpoTrajBuilder(DpoTrajBuilderOptions.parse({})),
    format: nemoCustomizer,
    format_name: "nemo-customizer",
    use_full_message_history: false,
    training_type: "dpo",
    deduplicate_pairs: true,
    max_pairs: null,
    seed: 0,
    split: { validation: 0.2, by: "auto" },
    threads,
    ...change,
  });
  return Promise.all(FILES.map((file) => readFile(join(output, file), "utf8")));
}

/** Some megabytes, so that every thread has several turns. Prompts and pairs come again. */
const manyRuns = () =>
  runFolder(
    Array.from({ length: 1500 }, (_, example) =>
      storedRun(example, [
        [`é ${example % 1400} ${"long ".repeat(200)}`, { a: 1, b: (example % 3) / 2, c: 0.25 }],
        [`own ${example}`, { a: 0.5, b: 0 }],
      ]),
    ),
  );

testBuilt("however many threads make the pairs, the bytes are the same", async () => {
  const runs = await manyRuns();
  const alone = await build(runs, 0);
  expect(alone[0]?.split("\n").length).toBeGreaterThan(3000);
  for (const threads of [1, 3]) expect(await build(runs, threads)).toEqual(alone);
  const sample = await build(runs, 0, { max_pairs: 100 });
  expect(await build(runs, 2, { max_pairs: 100 })).toEqual(sample);
  const rows = await build(runs, 0, { training_type: "sft" });
  expect(rows[0]).toBe(alone[0]);
  expect(rows[1]?.split("\n").length).toBeGreaterThan(2000);
  expect(await build(runs, 2, { training_type: "sft" })).toEqual(rows);
});

testBuilt("what rows leave out, and pairs without a row, are counted alike in threads", async () => {
  const call = {
    role: "assistant",
    content: "",
    tool_calls: [{ type: "function", function: { name: "f", arguments: "{}" } }],
  };
  const tools = [{ type: "function", function: { name: "f" } }];
  const runs = Array.from({ length: 900 }, (_, example) => {
    const run = storedRun(example, [[`p ${example % 700} ${"long ".repeat(200)}`, { a: 1, b: 0 }]]);
    const steps = run.steps.map((step, place) => {
      const output = place === 0 && example % 3 === 0 ? call : step.payload.data?.output;
      return { ...step, payload: { ...step.payload, data: { ...step.payload.data, tools, output } } };
    });
    return { ...run, steps };
  });
  const folder = await runFolder(runs);
  const alone = await build(folder, 0);
  expect(JSON.parse(alone[3] ?? "")).toMatchObject({
    lost_fields: { tool_calls: expect.any(Number), tools: expect.any(Number) },
    skipped: { unwritable_row: expect.any(Number) },
  });
  expect(await build(folder, 2)).toEqual(alone);
});

testBuilt("a bad line in a thread is the error it would be here", async () => {
  const runs = await manyRuns();
  const { steps: _, ...stepless } = storedRun(1600, []);
  await appendFile(join(runs, "runs.jsonl"), `${JSON.stringify({ ...stepless, steps: 1 })}\n`);
  const where = expect.stringMatching(/runs\.jsonl:1501$/);
  await expect(build(runs, 2)).rejects.toMatchObject({ code: "bad_line", where, exit_code: 2 });
});

testBuilt("threads stop with their caller", async () => {
  const runs = await manyRuns();
  await expect(build(runs, 2, { signal: AbortSignal.abort(new Error("stopped")) })).rejects.toThrow("stopped");
});
