import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PreferencePair, RunRecord } from "pairwright";
import { startModelServer } from "pairwright/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { buildProgram } from "../src/cli/program.ts";

const CONFIG = fileURLToPath(new URL("quickstart/config.yml", import.meta.url));
const SOURCE = fileURLToPath(new URL("quickstart.ts", import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "quickstart-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

/** `pairwright collect --json` in this process: its exit code and its one object. */
async function collect(): Promise<{ code: number; result: Record<string, unknown> }> {
  const printed: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  let code = -1;
  const program = buildProgram((exit) => {
    code = exit;
  });
  await program.parseAsync(["collect", CONFIG, "--json", `--override=eval.general.output_dir=${folder}`], {
    from: "user",
  });
  vi.restoreAllMocks();
  return { code, result: JSON.parse(printed.join("")) as Record<string, unknown> };
}

async function readLines<T>(path: string): Promise<T[]> {
  const text = await readFile(path, "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}

test("the plugin is twenty lines at most, and imports nothing but pairwright", async () => {
  const lines = (await readFile(SOURCE, "utf8")).trimEnd().split("\n");

  expect(lines.length).toBeLessThanOrEqual(20);
  expect(lines.filter((line) => line.includes("import "))).toEqual([
    'import { definePlugin, llmRef, z } from "pairwright";',
  ]);
});

test("twelve questions become pairs in which a reply with a reason is chosen over one without", async () => {
  await using server = await serve(({ seed = 0, messages }) => {
    const question = String(messages.at(-1)?.content);
    return seed % 3 === 0 ? `Draw ${seed}: because of that. ${question}` : `Draw ${seed}: it is known. ${question}`;
  });
  vi.stubEnv("QUICKSTART_LLM_URL", server.url);
  const { code, result } = await collect();

  expect(code).toBe(0);
  expect(server.calls).toBe(48);
  expect(result).toMatchObject({ examples: 12, completed: 12, failed: 0, candidates: 48, turns: 12 });

  const run_dir = String(result.run_dir);
  const runs = await readLines<RunRecord>(join(run_dir, "runs.jsonl"));
  const pairs = await readLines<PreferencePair>(join(run_dir, "pairs.jsonl"));
  expect(pairs.length).toBeGreaterThan(12);
  expect(new Set(pairs.map(({ example_id }) => example_id)).size).toBeGreaterThan(6);
  for (const { prompt, chosen, rejected, chosen_score, rejected_score } of pairs) {
    expect(chosen.map(({ content }) => content)).toEqual([expect.stringContaining("because")]);
    expect(rejected.map(({ content }) => content)).toEqual([expect.not.stringContaining("because")]);
    expect([chosen_score, rejected_score]).toEqual([1, 0]);
    expect(prompt).toHaveLength(1);
  }

  // A reply with a reason is the output wherever there was one, so the evaluator counts the turns that had one.
  const withReason = runs.filter(({ output }) => String(output).includes("because"));
  expect(withReason.length).toBeGreaterThanOrEqual(new Set(pairs.map(({ example_id }) => example_id)).size);
  expect(result).toMatchObject({ scores: { gives_a_reason: { average_score: withReason.length / 12, n: 12 } } });

  const rows = [
    ...(await readLines<Record<string, string>>(join(run_dir, "dataset/training_file.jsonl"))),
    ...(await readLines<Record<string, string>>(join(run_dir, "dataset/validation_file.jsonl"))),
  ];
  expect(rows).toHaveLength(pairs.length);
  expect(Object.keys(rows[0] ?? {})).toEqual(["prompt", "chosen_response", "rejected_response"]);
});

test("replies that all lack a reason make no pair, and the exit code says so", async () => {
  await using server = await serve(({ seed }) => `It is known (${seed}).`);
  vi.stubEnv("QUICKSTART_LLM_URL", server.url);
  const { code, result } = await collect();

  expect(code).toBe(4);
  expect(result).toMatchObject({ completed: 12, pairs: 0, turns_without_signal: 12 });
});

async function serve(reply: Parameters<typeof startModelServer>[0]["reply"]) {
  const server = await startModelServer({ reply });
  return {
    url: server.url,
    get calls() {
      return server.calls;
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}
