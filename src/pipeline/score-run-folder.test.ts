import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { evaluatorFromScorer } from "../evaluation/evaluator-from-scorer.ts";
import { type Logger, silentLogger } from "../lib/log.ts";
import type { RunRecord } from "../records/run.ts";
import { noUsage } from "../records/usage.ts";
import type { Evaluator } from "../registry/evaluator.ts";
import type { BuildArguments } from "../registry/registry.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { llmJudge } from "../ttc/score/llm-judge.ts";
import { instrumentModel } from "../workflow/instrument.ts";
import { collect } from "./collect-function.ts";
import { createRunFolder, type RunFolder } from "./run-folder.ts";
import { refuseUnsafeNames, scoreRunFolder } from "./score-run-folder.ts";

let dir = "";
let folder: RunFolder;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-scores-"));
  folder = await createRunFolder(dir, {
    command: "eval",
    status: "running",
    pairwright_version: "0",
    node_version: "20",
    started_at: "2026-01-01T10:00:00.000Z",
    seed: 0,
    reps: 1,
    options: {},
    policy_only: false,
    inputs: {},
    outputs: {},
    asked: { examples: 3 },
    got: { completed: 2, failed: 1 },
    missing: {},
    counts: {},
    notes: [],
  });
  const failed = { status: "failed" as const, output: null, error: { code: "turn_failed", message: "…" } };
  const runs = [run(0), run(1), run(2, failed)];
  await appendFile(folder.path("runs.jsonl"), runs.map((one) => `${JSON.stringify(one)}\n`).join(""));
});
afterEach(async () => {
  await folder.close();
  await rm(dir, { recursive: true });
});

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
    output: `answer ${index}`,
    steps: [],
    ...change,
  };
}

async function* examples() {
  for (const index of [0, 1, 2]) yield { id: `e${index}`, index, input: `question ${index}`, row: {} };
}

function score(evaluators: Record<string, Evaluator>, log: Logger = silentLogger) {
  const parts = { evaluators, examples, shape: {}, secrets: [], max_concurrency: 1 };
  const never = new AbortController().signal;
  return scoreRunFolder(parts, { drain: never, stop: never, log }, folder);
}

/** An evaluator that asks a model, as it stands in a configuration; `asked` counts its calls. */
function judge(answer: (call: number) => string | Error): Evaluator & { asked(): number } {
  const model = scriptedModel(() => answer(model.calls.length));
  const component = evaluatorFromScorer(llmJudge);
  const options = component.options.parse({ llm: "judge", rubric: "Is it right?" });
  const args = { options, name: "judge", llm: () => instrumentModel(model), log: silentLogger };
  const built = component.build(args as unknown as BuildArguments<typeof options>);
  return { ...built, asked: () => model.calls.length };
}

const unreachable = () => Object.assign(new Error("no answer"), { code: "llm_unreachable" });

test("what the evaluators' own model calls used is in the scores and in the sum, after a resumption too", async () => {
  const first = await score({ judge: judge(() => "Score: 10") });
  expect(first?.scores.judge).toMatchObject({ average_score: 1, n: 2, unscored: 1 });
  expect(first?.usage.llm_calls).toBe(2);
  expect(first?.usage.total_tokens).toBeGreaterThan(0);

  const idle = judge(() => "Score: 1");
  expect(await score({ judge: idle })).toEqual(first);
  expect(idle.asked()).toBe(0);
});

test("scores that a judge's outage cost are told by their cause, and asked for again on resumption, and no others", async () => {
  const lost = await score({ judge: judge((call) => (call === 1 ? "Score: 10" : unreachable())) });
  expect(lost).toMatchObject({ errors: { llm_unreachable: 1 }, scores: { judge: { n: 1, unscored: 2 } } });

  const back = judge(() => "Score: 1");
  const mended = await score({ judge: back });
  expect(back.asked()).toBe(1);
  expect(mended).toMatchObject({ errors: {}, scores: { judge: { average_score: 0.5, n: 2, unscored: 1 } } });
  expect((await readFile(folder.path("scores.jsonl"), "utf8")).trim().split("\n")).toHaveLength(3);
});

test("a score line that a crash cut is said, and that run is scored again", async () => {
  const path = folder.path("scores.jsonl");
  await score({ judge: judge(() => "Score: 10") });
  await appendFile(path, '{"evaluator": "judge", "exam');
  const said: string[] = [];
  const result = await score({ judge: judge(() => "Score: 10") }, { ...silentLogger, warn: (text) => said.push(text) });

  expect(said).toEqual([expect.stringMatching(/scores\.jsonl: cut off a half-written last line of 28 bytes/)]);
  expect(result?.scores.judge?.n).toBe(2);
});

test.each(['{"evaluator": "judge"}', "no JSON"])(
  "a score line that is none is named by file and line: %s",
  async (line) => {
    const path = folder.path("scores.jsonl");
    await score({ judge: judge(() => "Score: 10") });
    await appendFile(path, `${line}\n`);

    await expect(score({ judge: judge(() => "Score: 10") })).rejects.toMatchObject({
      code: "bad_line",
      where: `${path}:4`,
      exit_code: 2,
    });
  },
);

test("an evaluator's name that would leave the run folder, or take another file's place, is refused", async () => {
  for (const name of ["../up", "a/b", "a\\b", "nul\0", "..", ".", "", "workflow", "Workflow"]) {
    const evaluators = { [name]: judge(() => "Score: 10") };
    expect(() => refuseUnsafeNames(evaluators)).toThrow(expect.objectContaining({ code: "bad_evaluator_name" }));
    await expect(score(evaluators)).rejects.toMatchObject({ code: "bad_evaluator_name", exit_code: 2 });
  }
  expect(() => refuseUnsafeNames({ "my judge-2.1_b": 1, workflows: 1 })).not.toThrow();
});

test("a run's usage, in the result and in the manifest, counts the evaluators' calls with the workflow's", async () => {
  const player = instrumentModel(scriptedModel(() => "4"));
  const result = await collect({
    dataset: [{ id: "a", question: "2+2?" }],
    workflow: async () => (await player.chat([{ role: "user", content: "2+2?" }])).text,
    evaluators: { judge: judge(() => "Score: 10") },
    output_dir: join(dir, "out"),
  });

  expect(result.usage.llm_calls).toBe(2);
  const manifest = JSON.parse(await readFile(join(result.run_dir, "manifest.json"), "utf8"));
  expect(manifest.usage).toEqual(result.usage);
});

test("a bad name is refused before a single example has run", async () => {
  let played = 0;
  const lost = collect({
    dataset: [{ id: "a", question: "2+2?" }],
    workflow: () => (played += 1),
    evaluators: { "../up": judge(() => "Score: 10") },
    output_dir: join(dir, "out"),
  });

  await expect(lost).rejects.toMatchObject({ code: "bad_evaluator_name" });
  expect(played).toBe(0);
});
