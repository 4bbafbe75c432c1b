import { expect, test } from "vitest";
import { type RunRecord, runKey } from "../records/run.ts";
import { ScoreRecord } from "../records/score.ts";
import { noUsage } from "../records/usage.ts";
import type { Evaluation, Evaluator } from "../registry/evaluator.ts";
import { RUN_FAILED, type ScoreRunsArguments, scoreRuns } from "./evaluate-runs.ts";

function run(index: number, change: Partial<RunRecord> = {}): RunRecord {
  return {
    example_id: `e${index}`,
    example_index: index,
    rep: 0,
    run_index: 0,
    status: "completed",
    seed: 0,
    started_at: "2026-01-01T00:00:00.000Z",
    seconds: 1,
    usage: noUsage(),
    input: `question ${index}`,
    output: index,
    steps: [],
    ...change,
  };
}

const output: Evaluator = { evaluate: ({ output }) => ({ score: output as number }) };

async function score(args: Partial<ScoreRunsArguments> & Pick<ScoreRunsArguments, "runs" | "evaluators">) {
  const records: ScoreRecord[] = [];
  const counts = await scoreRuns({
    max_concurrency: 4,
    signal: new AbortController().signal,
    // What is written must parse as what is read.
    onScore: (record) => void records.push(ScoreRecord.parse(JSON.parse(JSON.stringify(record)))),
    ...args,
  });
  return { records, counts };
}

test("every run meets every evaluator, once", async () => {
  const { records, counts } = await score({
    runs: [run(1), run(2, { rep: 1, run_index: 3 })],
    evaluators: { plain: output, twice: { evaluate: async ({ output }) => ({ score: 2 * (output as number) }) } },
  });

  expect(records).toHaveLength(4);
  expect(records).toContainEqual({
    evaluator: "twice",
    example_id: "e2",
    example_index: 2,
    rep: 1,
    run_index: 3,
    score: 4,
  });
  expect(counts).toEqual({ scored: 4, unscored: 0, skipped: 0 });
});

test("an evaluator that throws gives null with the error for that run, never zero, and the others go on", async () => {
  const picky: Evaluator = {
    evaluate: ({ output }) => {
      if (output === 1) throw new TypeError("cannot judge this");
      return { score: 1 };
    },
  };
  const { records, counts } = await score({ runs: [run(0), run(1), run(2)], evaluators: { picky, output } });

  expect(records.find(({ evaluator, example_id }) => evaluator === "picky" && example_id === "e1")).toMatchObject({
    score: null,
    error: { code: "evaluator_failed", message: "cannot judge this" },
  });
  expect(records.filter(({ error }) => error === undefined)).toHaveLength(5);
  expect(counts).toEqual({ scored: 5, unscored: 1, skipped: 0 });
});

test("the code of a thrown error is kept", async () => {
  const down: Evaluator = { evaluate: () => Promise.reject(Object.assign(new Error("no"), { code: "llm_status" })) };

  expect((await score({ runs: [run(0)], evaluators: { down } })).records[0]?.error?.code).toBe("llm_status");
});

test("a failed run is not evaluated: it is unscored, and says why", async () => {
  const asked: RunRecord[] = [];
  const counting: Evaluator = { evaluate: (one) => ({ score: asked.push(one) }) };
  const failed = run(0, { status: "failed", output: null, error: { code: "no_candidates", message: "…" } });
  const { records, counts } = await score({ runs: [failed], evaluators: { counting }, done: () => true });

  expect(asked).toEqual([]);
  expect(records).toMatchObject([
    { score: null, error: { code: RUN_FAILED, message: "the run failed: no_candidates" } },
  ]);
  expect(counts).toEqual({ scored: 0, unscored: 1, skipped: 0 });
});

test.each<[string, unknown, Partial<ScoreRecord>]>([
  ["NaN", { score: Number.NaN }, { score: null, error: { code: "bad_score", message: "the score is NaN" } }],
  ["infinity", { score: -1 / 0 }, { score: null, error: { code: "bad_score", message: "the score is -Infinity" } }],
  ["a text", { score: "1" }, { score: null, error: { code: "bad_score", message: expect.stringContaining("string") } }],
  ["a bare number", 1, { score: null, error: { code: "bad_score", message: expect.any(String) } }],
  ["nothing", undefined, { score: null, error: { code: "bad_score", message: expect.any(String) } }],
  [
    "a metric that is NaN",
    { score: 1, metrics: { good: 0.5, bad: Number.NaN, none: null } },
    {
      score: 1,
      metrics: { good: 0.5, bad: null, none: null },
      error: { code: "bad_score", message: 'the metric "bad" is NaN' },
    },
  ],
  [
    "a reasoning that is no JSON",
    { score: 1, reasoning: { big: 1n } },
    { score: 1, error: { code: "bad_score", message: "the reasoning cannot be written as JSON" } },
  ],
])("of an evaluation that is %s, only what is sound is kept", async (_, evaluation, kept) => {
  const evaluators = { odd: { evaluate: () => evaluation as Evaluation } };

  expect((await score({ runs: [run(0)], evaluators })).records).toEqual([
    { evaluator: "odd", example_id: "e0", example_index: 0, rep: 0, run_index: 0, ...kept },
  ]);
});

test("null is an opinion withheld, not an error", async () => {
  const silent: Evaluator = { evaluate: () => ({ score: null, reasoning: "no answer to compare with" }) };
  const { records, counts } = await score({ runs: [run(0)], evaluators: { silent } });

  expect(records).toMatchObject([{ score: null, reasoning: "no answer to compare with" }]);
  expect(records[0]).not.toHaveProperty("error");
  expect(counts.unscored).toBe(1);
});

test("what was scored earlier is passed over, by evaluator and run", async () => {
  const earlier = new Set([`output ${runKey(run(1))}`]);
  const { records, counts } = await score({
    runs: [run(0), run(1)],
    evaluators: { output, other: output },
    done: (evaluator, key) => earlier.has(`${evaluator} ${key}`),
  });

  expect(records.map(({ evaluator, example_id }) => `${evaluator} ${example_id}`).sort()).toEqual([
    "other e0",
    "other e1",
    "output e0",
  ]);
  expect(counts.skipped).toBe(1);
});

test("no more evaluations are under way than asked for, and the runs are read no faster", async () => {
  let running = 0;
  let most = 0;
  let read = 0;
  let ended = 0;
  const slow: Evaluator = {
    evaluate: async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      ended += 1;
      return { score: 1 };
    },
  };
  async function* runs() {
    for (let index = 0; index < 50; index += 1) {
      expect(read - ended / 2).toBeLessThanOrEqual(4);
      read += 1;
      yield run(index);
    }
  }
  const { counts } = await score({ runs: runs(), evaluators: { slow, slower: slow }, max_concurrency: 3 });

  expect(counts.scored).toBe(100);
  expect(most).toBe(3);
});

test("the evaluator gets the example that belongs to the run", async () => {
  const seen: unknown[] = [];
  const looking: Evaluator = { evaluate: (_, { example }) => ({ score: seen.push(example?.row.level) }) };
  await score({
    runs: [run(3)],
    evaluators: { looking },
    example: async ({ example_id, example_index }) => ({
      id: example_id,
      index: example_index,
      input: "?",
      row: { level: "hard" },
    }),
  });

  expect(seen).toEqual(["hard"]);
});

test("an abort ends the scoring with its reason, and is no run's error", async () => {
  const controller = new AbortController();
  const records: ScoreRecord[] = [];
  const stopping: Evaluator = {
    evaluate: ({ output }, { signal }) => {
      if (output === 2) controller.abort(new Error("stopped by hand"));
      signal.throwIfAborted();
      return { score: 1 };
    },
  };

  await expect(
    scoreRuns({
      runs: [0, 1, 2, 3, 4].map((index) => run(index)),
      evaluators: { stopping },
      max_concurrency: 1,
      signal: controller.signal,
      onScore: (record) => void records.push(record),
    }),
  ).rejects.toThrow("stopped by hand");
  expect(records.map(({ example_id }) => example_id)).toEqual(["e0", "e1"]);
});

test("a record that cannot be kept ends the scoring", async () => {
  await expect(
    scoreRuns({
      runs: [run(0)],
      evaluators: { output },
      max_concurrency: 1,
      signal: new AbortController().signal,
      onScore: () => Promise.reject(new Error("disk full")),
    }),
  ).rejects.toThrow("disk full");
});

test("what an evaluation's model calls used stands in its record, also when it failed; without calls there is none", async () => {
  const spent = { ...noUsage(), prompt_tokens: 7, total_tokens: 7, llm_calls: 1 };
  let usage = spent;
  const throwing: Evaluator = { evaluate: () => Promise.reject(new Error("no verdict")) };
  const silent: Evaluator = {
    evaluate: () => {
      usage = noUsage();
      return { score: 1 };
    },
  };
  const { records } = await score({
    runs: [run(0)],
    evaluators: { throwing, silent },
    max_concurrency: 1,
    withUsage: async (work) => ({ value: await work(), usage }),
  });

  expect(records[0]).toMatchObject({ evaluator: "throwing", error: { message: "no verdict" }, usage: spent });
  expect(records[1]).toMatchObject({ evaluator: "silent", score: 1 });
  expect(records[1]).not.toHaveProperty("usage");
});
