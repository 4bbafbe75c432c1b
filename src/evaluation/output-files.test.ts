import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunRecord } from "../records/run.ts";
import type { EvaluatorSummary } from "../records/score.ts";
import type { EventType, IntermediateStep } from "../records/step.ts";
import { noUsage } from "../records/usage.ts";
import type { Example } from "../registry/workflow.ts";
import { readExamples, USUAL_STRUCTURE } from "./examples.ts";
import { outputId, withRows, writeEvaluatorOutput, writeWorkflowOutput } from "./output-files.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "output-"));
});
afterEach(() => rm(folder, { recursive: true }));

const summary: EvaluatorSummary = { average_score: 0.5, n: 2, low: 0.1, high: 0.9, unscored: 1, metrics: {} };
const key = { example_id: "a", example_index: 0, rep: 0, run_index: 0 };

function step(event_type: EventType): IntermediateStep {
  return {
    parent_id: "root",
    function_ancestry: { function_id: "f", function_name: "f", parent_id: null, parent_name: null },
    payload: { event_type, event_timestamp: 1, UUID: event_type },
  };
}

function run(example_index: number, change: Partial<RunRecord> = {}): RunRecord {
  return {
    ...key,
    example_id: `e${example_index}`,
    example_index,
    status: "completed",
    seed: 0,
    started_at: "2026-01-01T00:00:00.000Z",
    seconds: 1,
    usage: noUsage(),
    input: `q${example_index}`,
    answer: example_index,
    output: `o${example_index}`,
    steps: [step("LLM_END"), step("TTC_END"), step("TOOL_END")],
    ...change,
  };
}

async function written(name: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, name), "utf8"));
}

test("repetitions and runs after the first are told apart by name", () => {
  expect(outputId({ example_id: "a", rep: 0, run_index: 0 })).toBe("a");
  expect(outputId({ example_id: "a", rep: 2, run_index: 0 })).toBe("a_rep2");
  expect(outputId({ example_id: "a", rep: 1, run_index: 3 })).toBe("a_run3_rep1");
});

test("an evaluator's file has the average first and an item a run, with null for what was not scored", async () => {
  await writeEvaluatorOutput(join(folder, "judge_output.json"), summary, [
    { evaluator: "judge", ...key, score: 1, reasoning: { why: "good" }, metrics: { win: 1 } },
    { evaluator: "judge", ...key, rep: 1, score: null, error: { code: "llm_status", message: "503" } },
  ]);

  const text = await readFile(join(folder, "judge_output.json"), "utf8");
  expect(text).toMatch(/^\{\n {2}"average_score": 0\.5,/);
  expect(JSON.parse(text)).toEqual({
    ...summary,
    eval_output_items: [
      { id: "a", score: 1, reasoning: { why: "good" }, error: null, metrics: { win: 1 } },
      { id: "a_rep1", score: null, reasoning: null, error: "llm_status: 503" },
    ],
  });
});

test("files without items are whole JSON too", async () => {
  await writeEvaluatorOutput(join(folder, "none_output.json"), { ...summary, average_score: null }, []);
  await writeWorkflowOutput(join(folder, "workflow_output.json"), [], { structure: USUAL_STRUCTURE });

  expect(await written("none_output.json")).toMatchObject({ average_score: null, eval_output_items: [] });
  expect(await written("workflow_output.json")).toEqual([]);
});

test("the workflow's file keeps the row's fields and all steps, and says of a failed run what failed", async () => {
  const row = { id: 0, question: "q0", answer: 0, level: "easy", expected_intermediate_steps: [1] };
  const failed = run(1, { status: "failed", output: null, error: { code: "no_reply", message: "…" } });
  await writeWorkflowOutput(join(folder, "workflow_output.json"), [{ run: run(0), row }, { run: failed }], {
    structure: USUAL_STRUCTURE,
  });

  expect(await written("workflow_output.json")).toEqual([
    {
      id: "e0",
      question: "q0",
      answer: 0,
      level: "easy",
      generated_answer: "o0",
      intermediate_steps: JSON.parse(JSON.stringify(run(0).steps)),
      expected_intermediate_steps: [1],
    },
    {
      id: "e1",
      question: "q1",
      answer: 1,
      generated_answer: null,
      intermediate_steps: JSON.parse(JSON.stringify(run(1).steps)),
      expected_intermediate_steps: [],
      run_error: { code: "no_reply", message: "…" },
    },
  ]);
});

test("the data set's own names are kept, and steps are left out only when told", async () => {
  await writeWorkflowOutput(join(folder, "workflow_output.json"), [{ run: run(0), row: { name: "x", q: "?" } }], {
    structure: { ...USUAL_STRUCTURE, question_key: "q", generated_answer_key: "said", trajectory_key: "steps" },
    id_key: "name",
    step_types: ["LLM_END", "TOOL_END"],
  });

  const [entry] = (await written("workflow_output.json")) as [Record<string, unknown>];
  expect(Object.keys(entry)).toEqual(["name", "q", "answer", "said", "steps", "expected_intermediate_steps"]);
  expect((entry.steps as IntermediateStep[]).map(({ payload }) => payload.event_type)).toEqual(["LLM_END", "TOOL_END"]);
});

test("without structure the entries are the bare outputs", async () => {
  await writeWorkflowOutput(
    join(folder, "workflow_output.json"),
    [{ run: run(0) }, { run: run(1, { output: null }) }],
    {
      structure: { ...USUAL_STRUCTURE, disable: true },
    },
  );

  expect(await written("workflow_output.json")).toEqual(["o0", null]);
});

test("the file can be a data set again, and an earlier failure does not cling to its row", async () => {
  const path = join(folder, "workflow_output.json");
  const failed = run(0, { status: "failed", output: null, error: { code: "no_reply", message: "…" } });
  await writeWorkflowOutput(path, [{ run: failed }], { structure: USUAL_STRUCTURE });
  const rows = (await written("workflow_output.json")) as Record<string, unknown>[];
  const reader = {
    rows: async function* () {
      for (const row of rows) yield { row, where: "row" };
    },
  };
  for await (const { id, row } of readExamples(reader)) {
    await writeWorkflowOutput(path, [{ run: run(0, { example_id: id }), row }], { structure: USUAL_STRUCTURE });
  }

  expect(await written("workflow_output.json")).toEqual([
    expect.objectContaining({ id: "e0", generated_answer: "o0" }),
  ]);
  expect(await readFile(path, "utf8")).not.toContain("run_error");
});

test("a fault on the way leaves the old file and no half of a new one", async () => {
  const path = join(folder, "workflow_output.json");
  await writeWorkflowOutput(path, [{ run: run(0) }], { structure: USUAL_STRUCTURE });
  async function* broken() {
    yield { run: run(1) };
    throw new Error("bad line");
  }

  await expect(writeWorkflowOutput(path, broken(), { structure: USUAL_STRUCTURE })).rejects.toThrow("bad line");
  expect(await written("workflow_output.json")).toMatchObject([{ id: "e0" }]);
  expect(await readdir(folder)).toEqual(["workflow_output.json"]);
});

test("runs meet their rows while both stream by", async () => {
  let read = 0;
  async function* examples(): AsyncGenerator<Example> {
    for (let index = 0; index < 5; index += 1) {
      read += 1;
      yield { id: `e${index}`, index, input: "?", row: { index } };
    }
  }
  const joined = [];
  for await (const { run: one, row } of withRows([run(1), run(1, { rep: 1 }), run(3), run(9)], examples())) {
    joined.push([one.example_index, one.rep, row?.index]);
    if (one.rep === 1) expect(read).toBe(2);
  }

  expect(joined).toEqual([
    [1, 0, 1],
    [1, 1, 1],
    [3, 0, 3],
    [9, 0, undefined],
  ]);
});
