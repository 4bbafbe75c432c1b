import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import type { RunRecord } from "../../records/run.ts";
import { readRows } from "../../tokens/read-rows.ts";
import { buildOptions, jsonLines, type Replies, runFolder, storedRun } from "./__fixtures__/stored-runs.ts";
import { buildPairs } from "./build-pairs.ts";

const SFT = { training_type: "sft" } as const;
const FILES = ["pairs.jsonl", "dataset/training_file.jsonl", "dataset/validation_file.jsonl", "dataset/manifest.json"];
const bytesOf = (folder: string) => Promise.all(FILES.map((file) => readFile(join(folder, file), "utf8")));
const rowsOf = async (folder: string) => [
  ...(await jsonLines(folder, "dataset/training_file.jsonl")),
  ...(await jsonLines(folder, "dataset/validation_file.jsonl")),
];

/** The same run with other data at every step. */
function changed(run: RunRecord, change: (place: number) => Record<string, unknown>): RunRecord {
  const steps = run.steps.map((step, place) => ({
    ...step,
    payload: { ...step.payload, data: { ...step.payload.data, ...change(place) } },
  }));
  return { ...run, steps };
}

/** Runs of a small world: prompts come again in other examples, replies and scores are few. */
function randomRuns(seed: number, examples = 30): RunRecord[] {
  const random = seededRandom(seed);
  return Array.from({ length: examples }, (_, example) => {
    const turns = Array.from({ length: 3 }, (): [string, Replies] => {
      const replies: Replies = {};
      for (let reply = 0; reply < 4; reply += 1)
        replies[`r${Math.floor(random() * 6)} é`] = Math.floor(random() * 8) / 8;
      return [`prompt ${Math.floor(random() * 40)} “quoted”`, replies];
    });
    return storedRun(example, turns);
  });
}

test("a row is a turn's best reply, the pairs are as ever, and all that is left out is counted", async () => {
  const runs = [
    storedRun(0, [
      ["p0", { a: 1, b: 0.5, c: 0 }],
      ["p1", { a: 0.5, b: 0.5 }],
    ]),
    storedRun(1, [["p2", { only: -1 }]]),
    storedRun(2, [["p3", { "": 1, none: null }]]),
  ];
  const split = { validation: 0, by: "auto" } as const;
  const folder = await runFolder(runs);
  const pairs = await buildPairs(buildOptions([folder], { split }));
  const [before] = await bytesOf(folder);
  const summary = await buildPairs(buildOptions([folder], { ...SFT, split }));
  expect(await rowsOf(folder)).toEqual([
    { prompt: "p0", completion: "a" },
    { prompt: "p1", completion: "a" },
    { prompt: "p2", completion: "only" },
  ]);
  const read: unknown[] = [];
  for await (const { row } of readRows(join(folder, "dataset/training_file.jsonl"), "sft")) read.push(row);
  expect(read).toEqual(await rowsOf(folder));
  expect((await bytesOf(folder))[0]).toBe(before);
  expect(summary).toMatchObject({ training_type: "sft", pairs: 3, training: 3, validation: 0, turns: 4 });
  expect(summary.skipped).toEqual({ ...pairs.skipped, no_completion: 1 });
  expect(JSON.parse((await bytesOf(folder))[3] ?? "")).toMatchObject({
    training_type: "sft",
    pairs: 3,
    skipped: { no_completion: 1 },
    files: { "training_file.jsonl": { rows: 3 } },
  });
});

test("the prompt of a row is written as for DPO, and what a row leaves out is counted once a row", async () => {
  const input = [
    { role: "system", content: "s" },
    { role: "user", content: "u" },
  ];
  const folder = await runFolder([changed(storedRun(0, [["", { a: 1, b: 0 }]]), () => ({ input }))]);
  const last = await buildPairs(buildOptions([folder], SFT));
  expect(await rowsOf(folder)).toEqual([{ prompt: "u", completion: "a" }]);
  expect(last.lost_fields).toEqual({ history: 1 });
  const whole = await buildPairs(buildOptions([folder], { ...SFT, use_full_message_history: true }));
  expect(await rowsOf(folder)).toEqual([{ prompt: input, completion: "a" }]);
  expect(whole.lost_fields).toEqual({});
});

test("rows that are written alike are one, the first, unless they are wanted", async () => {
  const again = [0, 1, 2].map((example) => storedRun(example, [["p", { a: 1, [`b${example}`]: 0 }]]));
  const tools = [{ type: "function", function: { name: "f" } }];
  const folder = await runFolder([...again, changed(storedRun(3, [["p", { a: 1 }]]), () => ({ tools }))]);
  expect(await buildPairs(buildOptions([folder], SFT))).toMatchObject({
    pairs: 3,
    training: 1,
    skipped: { duplicate_row: 3 },
  });
  expect(await rowsOf(folder)).toEqual([{ prompt: "p", completion: "a" }]);
  const all = await buildPairs(buildOptions([folder], { ...SFT, deduplicate_pairs: false }));
  expect(all).toMatchObject({ training: 4, skipped: { single_candidate: 1 }, lost_fields: { tools: 1 } });
});

test("max_pairs samples pairs and rows, each by the seed", async () => {
  const runs = Array.from({ length: 40 }, (_, e) => storedRun(e, [[`p${e}`, { a: 1, b: 0.5, c: 0 }]]));
  const folder = await runFolder(runs);
  const sample = async (seed: number) => {
    const summary = await buildPairs(buildOptions([folder], { ...SFT, max_pairs: 30, seed }));
    expect(summary).toMatchObject({ pairs: 30, skipped: { over_max_pairs: 90, over_max_rows: 10 } });
    expect(summary.training + summary.validation).toBe(30);
    return rowsOf(folder);
  };
  const first = await sample(0);
  expect(await sample(0)).toEqual(first);
  expect(await sample(1)).not.toEqual(first);
});

test("replies that a row cannot hold are counted; a contradiction of pairs takes no row", async () => {
  const call = {
    role: "assistant",
    content: "",
    tool_calls: [{ type: "function", function: { name: "f", arguments: "{}" } }],
  };
  const calling = changed(storedRun(0, [["p", { a: 1, b: 0 }]]), (place) => (place === 0 ? { output: call } : {}));
  const folder = await runFolder([
    calling,
    storedRun(1, [["q", { a: 1, b: 0 }]]),
    storedRun(2, [["q", { a: 0, b: 1 }]]),
  ]);
  const summary = await buildPairs(buildOptions([folder], SFT));
  expect(summary).toMatchObject({
    pairs: 1,
    training: 2,
    skipped: { contradiction: 2, unwritable_row: 1 },
    lost_fields: { tool_calls: 1 },
  });
  const alone = await buildPairs(buildOptions([await runFolder([calling])], SFT));
  expect(alone.warnings).toContainEqual(expect.stringMatching(/^1 of 1 best replies have no row/));
});

test("by prompt, a row is the best of all replies to it", async () => {
  const folder = await runFolder([
    storedRun(0, [["p", { a: 1, b: 0.5 }]]),
    storedRun(1, [["p", { a: 0, c: 0.75 }]], { group: "g" }),
    storedRun(2, [["q", { z: 0 }]]),
  ]);
  const summary = await buildPairs(buildOptions([folder], { ...SFT, builder: { group_by: "prompt" } }));
  // "a" was given twice, and its mean is 0.5.
  expect((await rowsOf(folder)).map(({ prompt, completion }) => `${prompt} ${completion}`).sort()).toEqual([
    "p c",
    "q z",
  ]);
  expect(summary).toMatchObject({ pairs: 2, turns: 3 });
});

test.each(["auto", "example", "prompt", "group"] as const)(
  "by %s no prompt of the validation rows is in a training row, and pairs stand on the same sides",
  async (by) => {
    let validation = 0;
    let moved = 0;
    for (let seed = 0; seed < 3; seed += 1) {
      const folder = await runFolder(randomRuns(seed));
      const split = { validation: 0.3, by };
      const summary = await buildPairs(buildOptions([folder], { ...SFT, split, deduplicate_pairs: false }));
      const training = await jsonLines(folder, "dataset/training_file.jsonl");
      const held = await jsonLines(folder, "dataset/validation_file.jsonl");
      expect([training.length, held.length]).toEqual([summary.training, summary.validation]);
      expect(training.length + held.length).toBe(90);
      const trained = new Set(training.map((row) => row.prompt));
      expect(held.filter((row) => trained.has(row.prompt))).toEqual([]);
      const pairs = await jsonLines(folder, "pairs.jsonl");
      expect(pairs).toHaveLength(summary.pairs);
      for (const { prompt, split: side } of pairs) {
        const text = (prompt as { content: string }[])[0]?.content;
        expect(side).toBe(trained.has(text) ? "training" : "validation");
      }
      validation += held.length;
      moved += summary.split.moved_to_training;
    }
    expect(validation).toBeGreaterThan(0);
    expect(moved > 0).toBe(by === "example" || by === "group");
  },
);

test.each([{}, { group_by: "prompt" }])("the order of the lines changes no byte: %o", async (builder) => {
  const runs = randomRuns(1);
  const random = seededRandom(2);
  const first = await runFolder(runs);
  const shuffled = await runFolder([...runs].sort(() => random() - 0.5));
  const summary = await buildPairs(buildOptions([first], { ...SFT, builder }));
  await buildPairs(buildOptions([shuffled], { ...SFT, builder }));
  expect(summary.training + summary.validation).toBeGreaterThan(30);
  expect(await bytesOf(shuffled)).toEqual(await bytesOf(first));
});
