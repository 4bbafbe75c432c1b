import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Example } from "../../registry/workflow.ts";
import { chooseHeldOut } from "../finetune/held-out.ts";
import type { Parts } from "../parts.ts";
import { exampleSignals } from "./example-signals.ts";
import { sampleExamples } from "./sample-examples.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-sample-"));
});
afterEach(() => rm(dir, { recursive: true }));

const STEP = "dpo_candidate_move";
const { signal: stop } = new AbortController();

/** A run folder in which each example has one turn with these scores. */
async function played(name: string, scores: Record<string, (number | null)[]>): Promise<string> {
  const lines = Object.entries(scores).map(([example_id, all], example_index) => {
    const steps = all.map((score, candidate_index) => ({
      payload: {
        event_type: "TTC_END",
        name: STEP,
        data: { turn_id: "t", turn_index: 0, candidate_index, input: "q", output: `r${candidate_index}`, score },
      },
    }));
    const head = { example_id, example_index, rep: 0, run_index: 0, status: "completed", seed: 1 };
    return `${JSON.stringify({ ...head, steps })}\n`;
  });
  await mkdir(join(dir, name));
  await writeFile(join(dir, name, "runs.jsonl"), lines.join(""));
  return join(dir, name);
}

async function idsOf({ examples }: Parts): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of examples()) ids.push(id);
  return ids;
}

test("an example's signal is that of the last folder which scored it", async () => {
  const first = await played("first", { a: [0, 1], b: [0.5, 0.5, null], c: [null] });
  const second = await played("second", { a: [1, 0.5] });
  expect(Object.fromEntries(await exampleSignals([first, second], { step_name: STEP }))).toEqual({
    a: { spread: 0.5, mean: 0.75 },
    b: { spread: 0, mean: 0.5 },
  });
});

test("later rounds collect from what is new or undecided; what is measured on stays what it was", async () => {
  const ids = Array.from({ length: 20 }, (_, index) => `e${index}`);
  const parts = {
    async *examples(): AsyncGenerator<Example> {
      for (const [index, id] of ids.entries()) yield { id, index, input: id, row: {} };
    },
    inputs: async () => ({ dataset: "d" }),
    pairs: { builder: { step_name: STEP } },
  } as unknown as Parts;
  const held = await chooseHeldOut(parts.examples(), 0.2);
  const others = ids.filter((id) => !held.has({ id, row: {} }));
  // The first was not played, the second has something to learn from, the rest is alike.
  const [fresh = "", wide = "", ...alike] = others;
  const round = await played("round", { [wide]: [0, 1], ...Object.fromEntries(alike.map((id) => [id, [1, 1]])) });

  const options = { share: 2 / others.length, held_out: 0.2, earlier: [round], seed: 2, stop };
  const sampled = await sampleExamples(parts, options);
  expect((await idsOf(sampled)).filter((id) => others.includes(id))).toEqual([fresh, wide]);
  expect(await chooseHeldOut(sampled.examples(), 0.2)).toMatchObject({ count: held.count, sha256: held.sha256 });
  expect(await sampled.inputs()).toEqual({ dataset: "d", sampled: expect.stringMatching(/^[0-9a-f]{64}$/) });

  const half = await sampleExamples(parts, { ...options, share: 0.5 });
  const more = (await idsOf(half)).filter((id) => others.includes(id));
  expect(more).toHaveLength(Math.ceil(others.length / 2));
  expect(await sampleExamples(parts, { ...options, share: 1 })).toBe(parts);
  expect(await sampleExamples(parts, { ...options, earlier: [] })).toBe(parts);
});
