import { expect, test } from "vitest";
import { JsonPicker } from "../lib/json-pick.ts";
import type { RunRecord } from "../records/run.ts";
import type { SkipCounts } from "../registry/training.ts";
import { TURN_FIELDS, turnsOf } from "./candidates.ts";

function runWith(...payloads: unknown[]): RunRecord {
  const steps = payloads.map((payload) => ({ parent_id: "root", function_ancestry: {}, payload }));
  return {
    example_id: "e1",
    example_index: 3,
    rep: 1,
    run_index: 2,
    seed: 7,
    group: "g",
    steps,
  } as unknown as RunRecord;
}

function ttcEnd(data: unknown, more: Record<string, unknown> = {}) {
  return { event_type: "TTC_END", name: "dpo_candidate_move", event_timestamp: 0, UUID: "u", data, ...more };
}

const candidate = { turn_id: "t", turn_index: 0, candidate_index: 0, input: "why?", output: "because", score: 0.5 };
const picker = new JsonPicker(TURN_FIELDS);

function read(...payloads: unknown[]) {
  const run = runWith(...payloads);
  // Whatever a test reads, the fields that are picked of its line give the same.
  const line = JSON.stringify(run);
  const picked = picker.pick(Buffer.from(line)) as RunRecord;
  const skipped = [{}, {}];
  const turns = turnsOf(picked, "dpo_candidate_move", skipped[0]);
  expect(turns).toEqual(turnsOf(JSON.parse(line), "dpo_candidate_move", skipped[1]));
  expect(skipped[0]).toEqual(skipped[1]);
  return turnsOf(run, "dpo_candidate_move");
}

const only = (...payloads: unknown[]) => read(...payloads)[0]?.candidates[0];

test("a single END event is a candidate, with the run it comes from", () => {
  expect(read(ttcEnd(candidate))).toEqual([
    {
      source: { example_id: "e1", example_index: 3, rep: 1, run_index: 2, seed: 7, group: "g" },
      turn_id: "t",
      turn_index: 0,
      candidates: [
        {
          turn_id: "t",
          turn_index: 0,
          candidate_index: 0,
          prompt: [{ role: "user", content: "why?" }],
          completion: [{ role: "assistant", content: "because" }],
          score: 0.5,
          is_selected: false,
          model: undefined,
        },
      ],
    },
  ]);
});

test("what choose records comes back whole", () => {
  const metadata = {
    is_selected: true,
    seed: 11,
    model: null,
    finish_reason: "length",
    error: { code: "score_failed", message: "no" },
    tools: [{ type: "function", function: { name: "add" } }],
  };
  const usage_info = { token_usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } };
  expect(only(ttcEnd(candidate, { metadata, usage_info }))).toMatchObject({
    is_selected: true,
    seed: 11,
    model: null,
    finish_reason: "length",
    error: "score_failed",
    tools: [{ type: "function", function: { name: "add" } }],
    tokens: 3,
  });
});

test("the seeds' keys are read from a CUSTOM_END's metadata, and data goes before it", () => {
  const metadata = { ...candidate, input: undefined, prompt: "board", output: undefined, score: 1, is_selected: true };
  const step = { ...ttcEnd({ score: 2 }), event_type: "CUSTOM_END" };
  const seeds = { ...step, metadata: { ...metadata, raw_llm_response: "<move>", move: { row: 1 } } };
  expect(only(seeds)).toMatchObject({
    prompt: [{ role: "user", content: "board" }],
    completion: [{ role: "assistant", content: "<move>" }],
    score: 2,
    is_selected: true,
  });
});

test("a null in a candidate's own data was meant: metadata does not fill it", () => {
  const data = { ...candidate, output: null, score: null };
  expect(only(ttcEnd(data, { metadata: { output: "other", score: 1, raw_llm_response: "x" } }))).toMatchObject({
    completion: [],
    score: null,
  });
  const empty = { input: null, output: null };
  expect(only(ttcEnd(empty, { metadata: { ...candidate, raw_llm_response: "x" } }))).toMatchObject({ score: 0.5 });
});

test.each([null, undefined, Number.NaN, Number.POSITIVE_INFINITY, "0.5", true, {}])(
  "a score of %s is none",
  (score) => {
    expect(only(ttcEnd({ ...candidate, score }))?.score).toBeNull();
  },
);

test("only END events of the step's name are candidates", () => {
  const others = [
    { ...ttcEnd(candidate), event_type: "TTC_START" },
    { ...ttcEnd(candidate), event_type: "LLM_END" },
    { ...ttcEnd(candidate), name: "another" },
    null,
    "odd",
  ];
  expect(read(...others)).toEqual([]);
});

test.each<[string, unknown]>([
  ["no_turn_id", { ...candidate, turn_id: undefined }],
  ["no_turn_id", { ...candidate, turn_id: {} }],
  ["no_turn_id", null],
  ["no_candidate_index", { ...candidate, candidate_index: undefined }],
  ["no_candidate_index", { ...candidate, candidate_index: -1 }],
  ["no_prompt", { ...candidate, input: undefined }],
  ["odd_prompt", { ...candidate, input: { board: [] } }],
  ["odd_prompt", { ...candidate, input: [] }],
  ["odd_prompt", { ...candidate, input: [{ role: "user", content: 5 }] }],
  ["odd_reply", { ...candidate, output: { row: 1, col: 2 } }],
  ["odd_reply", { ...candidate, output: 5 }],
  ["odd_reply", { ...candidate, output: [{ role: "user", content: "x" }] }],
])("%s is counted, and costs that step alone: %o", (reason, data) => {
  const skipped: SkipCounts = {};
  const good = ttcEnd({ ...candidate, candidate_index: 1 });
  const turns = turnsOf(runWith(ttcEnd(data), good), "dpo_candidate_move", skipped);
  expect(turns.flatMap((turn) => turn.candidates.map(({ candidate_index }) => candidate_index))).toEqual([1]);
  expect(skipped).toEqual({ [reason]: 1 });
});

test("of two candidates with one index the first stays", () => {
  const skipped: SkipCounts = {};
  const run = runWith(ttcEnd(candidate), ttcEnd({ ...candidate, output: "again" }));
  const turns = turnsOf(run, "dpo_candidate_move", skipped);
  expect(turns[0]?.candidates.map(({ completion }) => completion[0]?.content)).toEqual(["because"]);
  expect(skipped).toEqual({ repeated_candidate: 1 });
});

test("turns and candidates stand in order, however their steps arrived", () => {
  const at = (turn: number, index: number) =>
    ttcEnd({ ...candidate, turn_id: `t${turn}`, turn_index: turn, candidate_index: index });
  const turns = read(at(1, 1), at(0, 1), at(1, 0), at(0, 0));
  expect(turns.map((turn) => [turn.turn_id, turn.candidates.map((one) => one.candidate_index)])).toEqual([
    ["t0", [0, 1]],
    ["t1", [0, 1]],
  ]);
});

test("tool calls survive, and a null content is no text", () => {
  const call = { id: "c1", type: "function", function: { name: "add", arguments: { a: 1 } } };
  const output = { role: "assistant", content: null, tool_calls: [call], refusal: null };
  expect(only(ttcEnd({ ...candidate, output }))?.completion).toEqual([
    {
      role: "assistant",
      content: "",
      tool_calls: [{ id: "c1", type: "function", function: { name: "add", arguments: '{"a":1}' } }],
    },
  ]);
});
