import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nemoCustomizer } from "../../datasets/formats/nemo-customizer.ts";
import { dpoTrajBuilder } from "../../preferences/dpo-traj-builder.ts";
import { DpoTrajBuilderOptions } from "../../preferences/dpo-traj-builder-options.ts";
import type { PreferencePair } from "../../records/pair.ts";
import type { RunContext, Scorer } from "../../registry/workflow.ts";
import { collect } from "../collect-function.ts";
import { buildPairs } from "./build-pairs.ts";
import { rescorer } from "./rescore.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-rescore-"));
});
afterEach(() => rm(dir, { recursive: true }));

async function workflow(question: string, context: RunContext): Promise<string> {
  const { selected } = await context.choose("answer", {
    prompt: [{ role: "user", content: question }],
    candidates: 3,
    sample: (_prompt, { index }) => `${"long ".repeat(index)}answer`,
    score: ({ text }) => text.length,
    // The seeds' keys hold the score a second time.
    describe: ({ score }) => ({ score }),
  });
  return selected.text;
}

async function rebuilt(
  run_dir: string,
  score: Scorer,
  group_by: "turn" | "prompt" = "turn",
): Promise<PreferencePair[]> {
  const builder = dpoTrajBuilder(DpoTrajBuilderOptions.parse({ group_by }));
  const output = join(dir, "rebuilt");
  await buildPairs({
    runs: [run_dir],
    output,
    builder,
    rescore: rescorer(score, builder.step_name, new AbortController().signal),
    format: nemoCustomizer,
    format_name: "nemo-customizer",
    use_full_message_history: false,
    training_type: "dpo",
    deduplicate_pairs: true,
    max_pairs: null,
    split: { validation: 0.2, by: "auto" },
  });
  const text = await readFile(join(output, "pairs.jsonl"), "utf8");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as PreferencePair);
}

const length = ({ chosen, rejected }: PreferencePair) =>
  String(chosen[0]?.content).length - String(rejected[0]?.content).length;

test.each(["turn", "prompt"] as const)(
  "stored candidates pair by another scorer's scores, grouped by %s",
  async (by) => {
    const dataset = [{ id: "a", question: "why?", answer: "answer" }];
    const { run_dir, pairs } = await collect({ dataset, workflow, output_dir: join(dir, "out") });
    expect(pairs?.pairs).toBe(3);

    const shorter = await rebuilt(run_dir, ({ text }) => -text.length, by);
    expect(shorter).toHaveLength(3);
    expect(shorter.every((pair) => length(pair) < 0)).toBe(true);
    // What the run kept of its example is there to judge by.
    const exact = await rebuilt(run_dir, ({ text }, { example }) => (text === example.answer ? 1 : 0), by);
    expect(exact.map(({ chosen }) => chosen[0]?.content)).toEqual(["answer", "answer"]);
  },
);

test("a scorer that throws leaves its candidate unscored, and unpaired", async () => {
  const { run_dir } = await collect({
    dataset: [{ id: "a", question: "why?" }],
    workflow,
    output_dir: join(dir, "out"),
  });
  const pairs = await rebuilt(run_dir, ({ candidate_index }) => {
    if (candidate_index === 1) throw new Error("no idea");
    return candidate_index;
  });
  expect(pairs.map(({ chosen_index, rejected_index }) => [chosen_index, rejected_index])).toEqual([[2, 0]]);
});
