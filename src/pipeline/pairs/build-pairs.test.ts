import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileSha256 } from "../../lib/files.ts";
import { seededRandom } from "../../lib/random.ts";
import { contentHash } from "../../preferences/content.ts";
import type { Message } from "../../records/message.ts";
import { PreferencePair } from "../../records/pair.ts";
import type { RunRecord } from "../../records/run.ts";
import { buildOptions, jsonLines, type Replies, runFolder, storedRun } from "./__fixtures__/stored-runs.ts";
import { buildPairs } from "./build-pairs.ts";

const FILES = ["pairs.jsonl", "dataset/training_file.jsonl", "dataset/validation_file.jsonl", "dataset/manifest.json"];
const bytesOf = (folder: string) => Promise.all(FILES.map((file) => readFile(join(folder, file), "utf8")));

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

const apart = Array.from({ length: 40 }, (_, example) =>
  storedRun(example, [[`prompt ${example}`, { good: 1, bad: 0 }]]),
);

test("pairs, rows and manifest are written, and the summary says what came of everything", async () => {
  const folder = await runFolder([
    storedRun(0, [
      ["p0", { a: 1, b: 0.5, c: 0 }],
      ["p1", { a: 0.5, b: 0.5 }],
    ]),
    storedRun(1, [["p2", { a: 1, b: null }]]),
  ]);
  const summary = await buildPairs(buildOptions([folder], { split: { validation: 0, by: "auto" } }));
  expect(summary).toMatchObject({
    runs: 2,
    failed_runs: 0,
    candidates: 7,
    turns: 3,
    pairs: 3,
    training: 3,
    validation: 0,
    skipped: { equal_scores: 1, unscored: 1 },
    turns_without_signal: 1,
    pairs_per_1000_tokens: 3,
    off_policy_candidates: 0,
    lost_fields: {},
    split: { by: "example", asked: "auto", validation: 0, moved_to_training: 0 },
    warnings: [],
  });
  const pairs = await jsonLines(folder, "pairs.jsonl");
  for (const pair of pairs) PreferencePair.parse(pair);
  expect(Object.keys(pairs[0] ?? {})).toEqual(Object.keys(PreferencePair.def.shape).filter((key) => key !== "tools"));
  expect(
    pairs.map(({ chosen, rejected }) => [chosen, rejected].flat().map((one) => (one as { content: string }).content)),
  ).toEqual([
    ["a", "b"],
    ["a", "c"],
    ["b", "c"],
  ]);
  expect(await jsonLines(folder, "dataset/training_file.jsonl")).toEqual([
    { prompt: "p0", chosen_response: "a", rejected_response: "b" },
    { prompt: "p0", chosen_response: "a", rejected_response: "c" },
    { prompt: "p0", chosen_response: "b", rejected_response: "c" },
  ]);
  const manifest = JSON.parse(await readFile(join(folder, "dataset/manifest.json"), "utf8"));
  expect(manifest).toMatchObject({ format: "nemo-customizer", pairs: 3, split: { by: "example" } });
  expect(manifest.files["training_file.jsonl"]).toEqual({
    rows: 3,
    sha256: await fileSha256(join(folder, "dataset/training_file.jsonl")),
  });
});

test.each([{}, { group_by: "prompt" }])("the order of the lines changes no byte: %o", async (builder) => {
  const runs = randomRuns(1);
  const random = seededRandom(2);
  const first = await runFolder(runs);
  const shuffled = await runFolder([...runs].sort(() => random() - 0.5));
  const summary = await buildPairs(buildOptions([first], { builder }));
  await buildPairs(buildOptions([shuffled], { builder }));
  expect(summary.pairs).toBeGreaterThan(100);
  expect(await bytesOf(shuffled)).toEqual(await bytesOf(first));
});

test.each(["auto", "example", "prompt", "group"] as const)(
  "by %s no prompt of the validation file is in the training file, and both agree with pairs.jsonl",
  async (by) => {
    let validation = 0;
    for (let seed = 0; seed < 6; seed += 1) {
      const folder = await runFolder(randomRuns(seed));
      const summary = await buildPairs(buildOptions([folder], { split: { validation: 0.3, by } }));
      const training = await jsonLines(folder, "dataset/training_file.jsonl");
      const held = await jsonLines(folder, "dataset/validation_file.jsonl");
      const prompts = new Set(training.map((row) => row.prompt));
      expect(held.filter((row) => prompts.has(row.prompt))).toEqual([]);
      const pairs = await jsonLines(folder, "pairs.jsonl");
      expect([training.length, held.length, pairs.length]).toEqual([
        summary.training,
        summary.validation,
        summary.pairs,
      ]);
      for (const [side, rows] of [
        ["training", training],
        ["validation", held],
      ] as const) {
        const own = pairs.filter((pair) => pair.split === side);
        expect(own.map((pair) => (pair.prompt as { content: string }[])[0]?.content)).toEqual(
          rows.map((row) => row.prompt),
        );
      }
      validation += held.length;
    }
    expect(validation).toBeGreaterThan(0);
  },
);

test("a prompt as its row holds it decides: with the last message alone, other histories share it", async () => {
  const withHistory = apart.map((run) => {
    const steps = run.steps.map((step) => {
      const input = [
        { role: "system", content: run.example_id },
        { role: "user", content: "go" },
      ];
      return { ...step, payload: { ...step.payload, data: { ...step.payload.data, input } } };
    });
    return { ...run, steps };
  });
  const folder = await runFolder(withHistory);
  expect(await buildPairs(buildOptions([folder]))).toMatchObject({
    split: { by: "prompt" },
    lost_fields: { history: 40 },
  });
  const whole = await buildPairs(buildOptions([folder], { use_full_message_history: true }));
  expect(whole).toMatchObject({ split: { by: "example" }, lost_fields: {} });
  expect(whole.validation).toBeGreaterThan(0);
});

test("one prompt alone is for training, and an empty validation file says so", async () => {
  let moved = 0;
  for (const prompt of ["a", "b", "c", "d", "e", "f", "g", "h"]) {
    const folder = await runFolder([storedRun(0, [[prompt, { x: 1, y: 0 }]])]);
    const summary = await buildPairs(buildOptions([folder], { split: { validation: 0.5, by: "prompt" } }));
    expect(summary).toMatchObject({ training: 1, validation: 0, warnings: [expect.stringContaining("validation")] });
    if (summary.warnings[0]?.startsWith("all ")) moved += 1;
    expect(await jsonLines(folder, "pairs.jsonl")).toMatchObject([{ split: "training" }]);
    expect((await stat(join(folder, "dataset/validation_file.jsonl"))).size).toBe(0);
    if (summary.split.moved_to_training > 0) {
      expect(summary.warnings[0]).toContain("would be validation in a larger run");
    }
  }
  expect(moved).toBeGreaterThan(0);
});

const twice = [
  storedRun(0, [["p", { a: 1, b: 0 }]]),
  storedRun(1, [["p", { a: 0.75, b: 0 }]]),
  storedRun(2, [["q", { a: 1, b: 0 }]]),
];

test("equal pairs of several runs are one, the first, unless they are wanted", async () => {
  const folder = await runFolder(twice);
  expect(await buildPairs(buildOptions([folder]))).toMatchObject({ pairs: 2, skipped: { duplicate: 1 } });
  expect((await jsonLines(folder, "pairs.jsonl")).map((pair) => pair.example_id)).toEqual(["e0", "e2"]);
  const all = await buildPairs(buildOptions([folder], { deduplicate_pairs: false }));
  expect(all).toMatchObject({ pairs: 3, skipped: {} });
});

test("pairs that contradict each other are all dropped, or kept by option", async () => {
  const folder = await runFolder([...twice, storedRun(3, [["p", { a: 0, b: 0.5, c: 1 }]])]);
  const dropped = await buildPairs(buildOptions([folder]));
  expect(dropped).toMatchObject({ pairs: 3, skipped: { contradiction: 2, duplicate: 1 } });
  const left = (await jsonLines(folder, "pairs.jsonl")).map(
    ({ example_id, chosen }) => `${example_id} ${(chosen as { content: string }[])[0]?.content}`,
  );
  expect(left).toEqual(["e2 a", "e3 c", "e3 c"]);
  const kept = await buildPairs(buildOptions([folder], { builder: { contradictions: "keep" } }));
  expect(kept).toMatchObject({ pairs: 5, skipped: { duplicate: 1 } });
});

test("max_pairs keeps a sample that the seed decides, in order", async () => {
  const folder = await runFolder(apart);
  const sample = async (seed: number) => {
    const summary = await buildPairs(buildOptions([folder], { max_pairs: 10, seed }));
    expect(summary).toMatchObject({ pairs: 10, skipped: { over_max_pairs: 30 } });
    expect(summary.training + summary.validation).toBe(10);
    return (await jsonLines(folder, "pairs.jsonl")).map((pair) => Number(String(pair.example_id).slice(1)));
  };
  const first = await sample(0);
  expect(first).toEqual([...first].sort((a, b) => a - b));
  expect(await sample(0)).toEqual(first);
  expect(await sample(1)).not.toEqual(first);
  expect((await buildPairs(buildOptions([folder], { max_pairs: 40 }))).skipped).toEqual({});
});

test("by prompt, replies of several runs pair; equal ones are one with their mean score", async () => {
  const folder = await runFolder([
    storedRun(0, [["p", { a: 1 }]]),
    storedRun(1, [["p", { b: 0.5 }]]),
    storedRun(
      2,
      [
        ["p", { a: 0 }],
        ["q", { z: 1 }],
      ],
      { rep: 1 },
    ),
  ]);
  expect((await buildPairs(buildOptions([folder]))).pairs).toBe(0);
  const summary = await buildPairs(buildOptions([folder], { builder: { group_by: "prompt" } }));
  expect(summary).toMatchObject({ pairs: 0, turns: 4, skipped: { equal_scores: 1, single_candidate: 1 } });
  const more = await runFolder([
    storedRun(0, [["p", { a: 1 }]]),
    storedRun(1, [
      ["x", { y: 1 }],
      ["p", { b: 0.25 }],
    ]),
    storedRun(2, [["p", { a: 0 }]], { rep: 1 }),
  ]);
  await buildPairs(buildOptions([more], { builder: { group_by: "prompt" } }));
  expect(await jsonLines(more, "pairs.jsonl")).toMatchObject([
    {
      example_id: "e0",
      turn_id: "t0",
      chosen_score: 0.5,
      rejected_score: 0.25,
      chosen_index: 0,
      metadata: { rejected: { example_id: "e1", rep: 0, run_index: 0, turn_id: "t1", turn_index: 1 } },
    },
  ]);
  expect((await readdir(more)).sort()).toEqual(["dataset", "pairs.jsonl", "runs.jsonl"]);
});

test("by prompt, pairs stand in the order of their prompts' hashes, whatever parts the runs are sorted in", async () => {
  const folder = await runFolder(apart);
  await buildPairs(buildOptions([folder], { builder: { group_by: "prompt" } }));
  const hashes = (await jsonLines(folder, "pairs.jsonl")).map(({ prompt }) => contentHash(prompt as Message[]));
  expect(hashes).toHaveLength(40);
  expect(hashes).toEqual([...hashes].sort());
});

test("pairs that a row cannot hold are in pairs.jsonl alone, and counted", async () => {
  const call = {
    role: "assistant",
    content: "",
    tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
  };
  const [run] = apart;
  if (run === undefined) throw new Error("there are runs");
  const steps = run.steps.map((step, place) => ({
    ...step,
    payload: { ...step.payload, data: { ...step.payload.data, output: place === 0 ? call : "text" } },
  }));
  const folder = await runFolder([{ ...run, steps }, ...apart.slice(1)]);
  const summary = await buildPairs(buildOptions([folder], { split: { validation: 0.3, by: "prompt" } }));
  expect(summary).toMatchObject({ pairs: 40, skipped: { unwritable_row: 1 }, lost_fields: { tool_calls: 1 } });
  expect(summary.training + summary.validation).toBe(39);
  expect((await jsonLines(folder, "pairs.jsonl"))[0]).toMatchObject({
    chosen: [{ tool_calls: [{ function: { name: "f" } }] }],
  });
});

test("what no row could hold is counted for pairs that stay alone, and more than half of them is a warning", async () => {
  const call = {
    role: "assistant",
    content: "",
    tool_calls: [{ type: "function", function: { name: "f", arguments: "{}" } }],
  };
  const calling = [
    ...apart,
    ...apart.map((run) => ({ ...run, example_id: `again ${run.example_id}`, example_index: 50 })),
  ];
  const runs = calling.map((run) => ({
    ...run,
    steps: run.steps.map((step, place) => ({
      ...step,
      payload: { ...step.payload, data: { ...step.payload.data, output: place === 0 ? call : "text" } },
    })),
  }));
  const summary = await buildPairs(buildOptions([await runFolder(runs)]));
  expect(summary).toMatchObject({
    pairs: 40,
    training: 0,
    skipped: { duplicate: 40, unwritable_row: 40 },
    lost_fields: { tool_calls: 40 },
    warnings: [expect.stringMatching(/^40 of 40 pairs have no row.*pairs\.jsonl/)],
  });
  const few = await buildPairs(buildOptions([await runFolder(runs)], { max_pairs: 3 }));
  expect(few).toMatchObject({ pairs: 3, skipped: { unwritable_row: 3 }, lost_fields: { tool_calls: 3 } });
});

test("a reason that a builder and the data set both have is added up", async () => {
  const { builder, ...options } = buildOptions([await runFolder(twice)]);
  const counting = {
    step_name: builder.step_name,
    group_by: builder.group_by,
    contradictions: builder.contradictions,
    pairsOf: (turn: Parameters<typeof builder.pairsOf>[0], skipped: Record<string, number>) => {
      skipped.duplicate = (skipped.duplicate ?? 0) + 1;
      return builder.pairsOf(turn, skipped);
    },
  };
  expect((await buildPairs({ ...options, builder: counting })).skipped).toEqual({ duplicate: 4 });
});

/** The same run with these tools offered at every step. */
function withTools(run: RunRecord, name: string): RunRecord {
  const tools = [{ type: "function", function: { name } }];
  return {
    ...run,
    steps: run.steps.map((step) => ({ ...step, payload: { ...step.payload, data: { ...step.payload.data, tools } } })),
  };
}

test("under other tools a prompt is another one: no duplicate, no contradiction, another id, no common group", async () => {
  const runs = [
    storedRun(0, [["p", { a: 1, b: 0 }]]),
    withTools(storedRun(1, [["p", { a: 1, b: 0 }]]), "f"),
    withTools(storedRun(2, [["p", { a: 0, b: 1 }]]), "g"),
  ];
  const folder = await runFolder(runs);
  expect(await buildPairs(buildOptions([folder]))).toMatchObject({ pairs: 3, skipped: {} });
  expect(new Set((await jsonLines(folder, "pairs.jsonl")).map(({ pair_id }) => pair_id)).size).toBe(3);
  const grouped = await buildPairs(buildOptions([folder], { builder: { group_by: "prompt" } }));
  expect(grouped).toMatchObject({ pairs: 3, skipped: {} });
  const same = await runFolder([withTools(storedRun(0, [["p", { a: 1, b: 0 }]]), "f"), ...runs.slice(1, 2)]);
  expect(await buildPairs(buildOptions([same]))).toMatchObject({ pairs: 1, skipped: { duplicate: 1 } });
});

test("the seed of the sample is that of the runs, unless told", async () => {
  const sample = async (own: number, seed?: number) => {
    const folder = await runFolder(apart.map((run) => ({ ...run, seed: own })));
    await buildPairs({ ...buildOptions([folder], { max_pairs: 10 }), seed });
    expect(JSON.parse(await readFile(join(folder, "dataset/manifest.json"), "utf8"))).toMatchObject({
      seed: seed ?? own,
    });
    return (await jsonLines(folder, "pairs.jsonl")).map(({ example_id }) => example_id);
  };
  expect(await sample(7)).toEqual(await sample(3, 7));
  expect(await sample(7)).not.toEqual(await sample(3));
});

test("other fields called split do not lead the sides astray when they are put right", async () => {
  const shared = apart.map((run, example) => {
    // Two examples share each prompt: first written by example, all sides are decided anew by prompt.
    const input = [{ role: "user", content: [{ type: "text", text: `p${example % 20}`, split: "x" }] }];
    const steps = run.steps.map((step, place) => {
      const output = place === 0 ? `good ${example}` : "bad";
      return { ...step, payload: { ...step.payload, data: { ...step.payload.data, input, output } } };
    });
    return { ...run, steps };
  });
  const { builder, ...options } = buildOptions([await runFolder(shared)], { split: { validation: 0.5, by: "auto" } });
  const metadata = { split: "x", deep: [{ split: "y" }] };
  const noisy = {
    step_name: builder.step_name,
    group_by: builder.group_by,
    contradictions: builder.contradictions,
    pairsOf: (...turn: Parameters<typeof builder.pairsOf>) =>
      builder.pairsOf(...turn).map((pair) => ({ ...pair, metadata })),
  };
  const summary = await buildPairs({ ...options, builder: noisy });
  expect(summary).toMatchObject({ pairs: 40, split: { by: "prompt" } });
  const pairs = await jsonLines(summary.output, "pairs.jsonl");
  expect(pairs.filter(({ split }) => split === "validation")).toHaveLength(summary.validation);
  expect(summary.validation).toBeGreaterThan(0);
  for (const pair of pairs) expect(PreferencePair.parse(pair).metadata).toEqual(metadata);
});

test("no pairs at all is no error: the summary counts why, and the files are empty", async () => {
  const folder = await runFolder([storedRun(0, [["p", { a: 1, b: 1 }]]), storedRun(1, [], { status: "failed" })]);
  expect(await buildPairs(buildOptions([folder]))).toMatchObject({
    pairs: 0,
    training: 0,
    failed_runs: 1,
    skipped: { equal_scores: 1 },
  });
  expect(await jsonLines(folder, "pairs.jsonl")).toEqual([]);
});

test("a build replaces the files of an earlier one, and a failed one leaves them", async () => {
  const folder = await runFolder(apart);
  await buildPairs(buildOptions([folder]));
  const before = await bytesOf(folder);
  const bad = await runFolder([...apart.slice(0, 3), "{}\n"]);
  await expect(buildPairs(buildOptions([bad], { output: folder }))).rejects.toMatchObject({ code: "bad_line" });
  expect(await bytesOf(folder)).toEqual(before);
  await buildPairs(buildOptions([folder], { builder: { min_score_diff: 2 } }));
  expect(await jsonLines(folder, "pairs.jsonl")).toEqual([]);
  expect((await readdir(folder)).sort()).toEqual(["dataset", "pairs.jsonl", "runs.jsonl"]);
  expect((await readdir(join(folder, "dataset"))).sort()).toEqual([
    "manifest.json",
    "training_file.jsonl",
    "validation_file.jsonl",
  ]);
});

test("it can be stopped, and leaves nothing half done", async () => {
  const folder = await runFolder(apart);
  const stop = AbortSignal.abort(new Error("stopped"));
  await expect(buildPairs(buildOptions([folder], { signal: stop }))).rejects.toThrow("stopped");
  expect(await readdir(folder)).toEqual(["runs.jsonl"]);
});

test.each(["turn", "prompt"])("stopped while it writes, by %s, it removes what it began", async (group_by) => {
  const folder = await runFolder(apart);
  const stop = new AbortController();
  const { builder, ...options } = buildOptions([folder], { builder: { group_by }, signal: stop.signal });
  const stopping = {
    step_name: builder.step_name,
    group_by: builder.group_by,
    contradictions: builder.contradictions,
    pairsOf: (...turn: Parameters<typeof builder.pairsOf>) => {
      stop.abort(new Error("stopped"));
      return builder.pairsOf(...turn);
    },
  };
  await expect(buildPairs({ ...options, builder: stopping })).rejects.toThrow("stopped");
  expect((await readdir(folder)).sort()).toEqual(["dataset", "runs.jsonl"]);
  expect(await readdir(join(folder, "dataset"))).toEqual([]);
});

test("many runs, read and written in many pieces, lose nothing", async () => {
  const long = "x".repeat(3000);
  const runs = Array.from({ length: 900 }, (_, example) =>
    storedRun(example, [[`${long} ${example}`, { [`good ${long}`]: 1, bad: 0 }]]),
  );
  const folder = await runFolder(runs.reverse());
  const summary = await buildPairs(buildOptions([folder], { max_pairs: 700 }));
  const pairs = await jsonLines(folder, "pairs.jsonl");
  expect(pairs).toHaveLength(700);
  const order = pairs.map((pair) => Number(String(pair.example_id).slice(1)));
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(summary.training).toBeGreaterThan(summary.validation);
});

test("where there are no runs the error says so", async () => {
  await expect(buildPairs(buildOptions(["nowhere"]))).rejects.toMatchObject({ code: "no_runs_file", exit_code: 2 });
  const folder = await runFolder([]);
  await writeFile(join(folder, "x"), "");
  expect(await buildPairs(buildOptions([folder]))).toMatchObject({ runs: 0, pairs: 0 });
});
