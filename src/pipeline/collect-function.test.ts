import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { PreferencePair } from "../records/pair.ts";
import type { RunContext } from "../registry/workflow.ts";
import { startModelServer } from "../testing/model-server.ts";
import { chatModel, collect } from "./collect-function.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-collect-"));
});
afterEach(() => rm(dir, { recursive: true }));

const rows = Array.from({ length: 6 }, (_, index) => ({ id: `q${index}`, question: `question ${index}` }));

async function shorterIsBetter(question: string, context: RunContext): Promise<string> {
  const { selected } = await context.choose("answer", {
    prompt: [{ role: "user", content: question }],
    candidates: 3,
    sample: (_prompt, slot) => `${question}: ${"very ".repeat(slot.seed % 5)}long`,
    score: ({ text }) => -text.length,
  });
  return selected.text;
}

async function pairsOf(run_dir: string): Promise<PreferencePair[]> {
  const text = await readFile(join(run_dir, "pairs.jsonl"), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as PreferencePair);
}

test("collects from rows and a function, with no configuration file", async () => {
  const result = await collect({
    dataset: rows,
    workflow: shorterIsBetter,
    evaluators: { brevity: { evaluate: ({ output }) => ({ score: String(output).includes("very") ? 0 : 1 }) } },
    output_dir: dir,
  });
  expect(result).toMatchObject({ examples: 6, completed: 6, failed: 0 });
  expect(result.scores.brevity?.n).toBe(6);

  const pairs = await pairsOf(result.run_dir);
  expect(pairs.length).toBeGreaterThan(3);
  expect(result.pairs?.pairs).toBe(pairs.length);
  for (const { chosen, rejected } of pairs) {
    expect(String(chosen[0]?.content).length).toBeLessThan(String(rejected[0]?.content).length);
  }
});

test("for supervised fine-tuning the data set holds each turn's best reply", async () => {
  const { run_dir, pairs } = await collect({
    dataset: rows,
    workflow: shorterIsBetter,
    output_dir: dir,
    training_type: "sft",
  });
  expect(pairs).toMatchObject({ training_type: "sft", skipped: {} });
  const lines: { prompt: string; completion: string }[] = [];
  for (const side of ["training", "validation"]) {
    const text = await readFile(join(run_dir, `dataset/${side}_file.jsonl`), "utf8");
    lines.push(
      ...text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    );
  }
  expect(lines.map(({ prompt }) => prompt).sort()).toEqual(rows.map(({ question }) => question));
  for (const { chosen, prompt, rejected } of await pairsOf(run_dir)) {
    const best = lines.find((line) => line.prompt === prompt[0]?.content)?.completion ?? "";
    expect(best.length).toBeLessThanOrEqual(String(chosen[0]?.content).length);
    expect(best.length).toBeLessThan(String(rejected[0]?.content).length);
  }
});

test("the same seed gives the same pairs byte for byte, whatever the concurrency; another seed gives others", async () => {
  const bytes: string[] = [];
  for (const [index, options] of [{ max_concurrency: 1 }, { max_concurrency: 6 }, { seed: 1 }].entries()) {
    const output_dir = join(dir, String(index));
    const { run_dir } = await collect({ dataset: rows, workflow: shorterIsBetter, output_dir, ...options });
    bytes.push(await readFile(join(run_dir, "pairs.jsonl"), "utf8"));
  }
  expect(bytes[0]).toBe(bytes[1]);
  expect(bytes[0]).not.toBe(bytes[2]);
});

test("the options of the pair builder are those of the configuration, and a wrong one is told", async () => {
  const { pairs } = await collect({
    dataset: rows,
    workflow: shorterIsBetter,
    pairs: { min_score_diff: 1000 },
    output_dir: dir,
  });
  expect(pairs?.pairs).toBe(0);
  expect(pairs?.skipped.below_min_score_diff).toBeGreaterThan(0);
  await expect(
    collect({ dataset: rows, workflow: shorterIsBetter, pairs: { min_score_dif: 1 }, output_dir: dir }),
  ).rejects.toMatchObject({
    code: "config",
    where: "pairs",
    exit_code: 2,
    what: expect.stringContaining("min_score_dif"),
  });
});

test("a chat model made by itself records its calls in the run", async () => {
  const server = await startModelServer({ reply: ({ seed }) => `${Number(seed) % 7}` });
  const model = chatModel({ model_name: "m", base_url: server.url });
  await writeFile(join(dir, "data.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const result = await collect({
    dataset: join(dir, "data.jsonl"),
    workflow: async (question: string, context) => {
      const turn = await context.choose("number", {
        prompt: [{ role: "user", content: question }],
        candidates: 4,
        // No seed is given here: each call has one of its own all the same.
        sample: (prompt) => model.chat(prompt),
        score: ({ text }) => Number(text),
      });
      return turn.selected.text;
    },
    output_dir: join(dir, "out"),
  });
  await model.close?.();
  await server.close();

  expect(result.usage.llm_calls).toBe(24);
  const pairs = await pairsOf(result.run_dir);
  expect(pairs.length).toBeGreaterThan(5);
  expect(pairs.every((pair) => pair.model === "m" && pair.chosen_score > pair.rejected_score)).toBe(true);
});

test("a signal stops it between examples, and what was done is kept", async () => {
  const stop = new AbortController();
  let played = 0;
  const workflow = async (question: string, context: RunContext) => {
    played += 1;
    if (played === 3) stop.abort();
    return shorterIsBetter(question, context);
  };
  const first = await collect({ dataset: rows, workflow, output_dir: dir, max_concurrency: 1, signal: stop.signal });
  expect(first).toMatchObject({ stopped: "drained", completed: 3 });

  const rest = await collect({ dataset: rows, workflow: shorterIsBetter, output_dir: dir, resume: true });
  expect(rest).toMatchObject({ completed: 6, run_dir: first.run_dir });
});
