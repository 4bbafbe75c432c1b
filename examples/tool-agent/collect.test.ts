import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Message, PreferencePair, RunRecord } from "pairwright";
import { startModelServer } from "pairwright/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";
import { readFacts } from "./facts.ts";
import { scriptedAgent } from "./scripted-agent.ts";
import { readProblems } from "./scripted-plugin.ts";

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const PROBLEMS = readProblems(here("data/problems.jsonl"));
const agent = scriptedAgent(PROBLEMS, readFacts(here("data/facts.json")));
/** 6 attempts at each of 20 problems. */
const ATTEMPTS = 120;

type ServerOptions = Parameters<typeof startModelServer>[0];

interface Result {
  run_dir: string;
  scores: { solved: { average_score: number; n: number } };
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tool-agent-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

/** `pairwright collect --json` in this process: its exit code, its one object, and what people were told. */
async function collect(config: string, output: string, ...more: string[]) {
  const printed: string[] = [];
  const told: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => told.push(String(text)) > 0);
  let code = -1;
  const program = buildProgram((exit) => {
    code = exit;
  });
  const output_dir = join(folder, output);
  await program.parseAsync(
    ["collect", here(`configs/${config}`), "--json", `--override=eval.general.output_dir=${output_dir}`, ...more],
    { from: "user" },
  );
  vi.restoreAllMocks();
  const result = JSON.parse(printed.join("")) as Result;
  const read = async <T>(file: string): Promise<T[]> => {
    const text = await readFile(join(result.run_dir, file), "utf8");
    return text === ""
      ? []
      : text
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line) as T);
  };
  return { code, result, told: told.join(""), read };
}

async function serve(variable: string, options: ServerOptions) {
  const server = await startModelServer(options);
  vi.stubEnv(variable, server.url);
  return { [Symbol.asyncDispose]: () => server.close() };
}

const usesTools = (messages: readonly Message[]) => messages.some(({ tool_calls }) => tool_calls !== undefined);
const answerOf = (messages: readonly Message[]) => /Answer: (\S+)/.exec(String(messages.at(-1)?.content))?.[1];

test("with the script: pairs of whole attempts, the right answer over the wrong one, tool calls and all", async () => {
  const { code, result, told, read } = await collect("config_scripted.yml", "out");
  const pairs = await read<PreferencePair>("pairs.jsonl");

  expect(code).toBe(0);
  expect(result).toMatchObject({ examples: 20, completed: 20, failed: 0, candidates: ATTEMPTS, turns: 20 });
  expect(pairs.length).toBeGreaterThan(40);
  for (const { example_id, prompt, tools, chosen, rejected } of pairs) {
    const problem = PROBLEMS.find(({ id }) => id === example_id);
    expect(prompt.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(tools?.map((tool) => tool.function.name)).toEqual(["calculate", "look_up"]);
    expect(answerOf(chosen)).toBe(String(problem?.answer));
    expect(answerOf(rejected)).not.toBe(String(problem?.answer));
    for (const side of [chosen, rejected]) expectWholeAttempt(side);
  }

  const chosenWithTools = pairs.filter(({ chosen }) => usesTools(chosen));
  const bothWithTools = chosenWithTools.filter(({ rejected }) => usesTools(rejected));
  expect(bothWithTools.length).toBeGreaterThan(10);

  // Only pairs without tool calls have a row, and the summary says what became of the others.
  const plain = pairs.filter(({ chosen, rejected }) => !usesTools(chosen) && !usesTools(rejected));
  const rows = [
    ...(await read<Record<string, unknown>>("dataset/training_file.jsonl")),
    ...(await read<Record<string, unknown>>("dataset/validation_file.jsonl")),
  ];
  expect(plain.length).toBeGreaterThan(0);
  expect(rows).toHaveLength(plain.length);
  expect(rows[0]).toMatchObject({
    prompt: [{ role: "system" }, { role: "user" }],
    chosen_response: expect.stringContaining("Answer: "),
  });
  expect(result).toMatchObject({
    pairs: pairs.length,
    skipped: { unwritable_row: pairs.length - plain.length },
    lost_fields: { tool_calls: pairs.length - plain.length, tools: plain.length },
  });
  const summary = told.split("\n").filter((line) => /^(120 candidates|left out:|not held)/.test(line));
  expect(summary[1]).toContain(`unwritable_row ${pairs.length - plain.length}`);
  expect(summary[2]).toContain(`tool_calls ${pairs.length - plain.length}`);
  // What README shows is what comes out.
  expect(await readFile(here("README.md"), "utf8")).toContain(summary.join("\n"));
});

/** Every call but those of a last, unanswered message has its result, in order; and the model has the last word. */
function expectWholeAttempt(messages: readonly Message[]): void {
  expect(messages.at(-1)?.role).toBe("assistant");
  const open: (string | undefined)[] = [];
  for (const { role, tool_calls = [], tool_call_id } of messages) {
    if (role === "tool") expect(open.shift()).toBe(tool_call_id);
    else {
      expect(role).toBe("assistant");
      expect(open).toEqual([]);
      open.push(...tool_calls.map(({ id }) => id));
    }
  }
  expect(open).toHaveLength(messages.at(-1)?.tool_calls?.length ?? 0);
}

test("every way in which an attempt can go is a candidate with a score and a reason", async () => {
  const { read } = await collect("config_scripted.yml", "out");
  const runs = await read<RunRecord>("runs.jsonl");
  const candidates = runs.flatMap(({ steps }) =>
    steps.map(({ payload }) => payload).filter(({ event_type }) => event_type === "TTC_END"),
  );
  const scoresWhere = (holds: (metadata: Record<string, unknown>) => boolean) =>
    candidates.filter(({ metadata }) => holds(metadata ?? {})).map(({ data }) => data?.score);

  expect(candidates).toHaveLength(ATTEMPTS);
  const lost = scoresWhere(({ answered }) => answered === false);
  expect(lost.length).toBeGreaterThan(3);
  expect(new Set(lost)).toEqual(new Set([0]));
  const clumsy = scoresWhere(({ tool_errors }) => Number(tool_errors) > 0);
  expect(clumsy.length).toBeGreaterThan(3);
  expect(new Set(clumsy)).toEqual(new Set([1]));
  const byHead = scoresWhere(({ tool_calls }) => tool_calls === 0);
  expect(new Set(byHead)).toEqual(new Set([0, 1]));
});

test("tool steps lie inside their attempt, and that inside the workflow", async () => {
  const { read } = await collect("config_scripted.yml", "out");
  const runs = await read<RunRecord>("runs.jsonl");
  let tools = 0;
  for (const { steps } of runs) {
    const [workflow] = steps;
    const attempts = steps.filter(({ payload }) => payload.event_type === "TASK_START");
    expect(attempts).toHaveLength(6);
    for (const { parent_id } of attempts) expect(parent_id).toBe(workflow?.payload.UUID);
    const ids = attempts.map(({ payload }) => payload.UUID);
    const started = steps.filter(({ payload }) => payload.event_type === "TOOL_START");
    const ended = steps.filter(({ payload }) => payload.event_type === "TOOL_END");
    expect(ended.map(({ payload }) => payload.UUID).sort()).toEqual(started.map(({ payload }) => payload.UUID).sort());
    for (const { parent_id } of [...started, ...ended]) expect(ids).toContain(parent_id);
    tools += started.length;
  }
  expect(tools).toBeGreaterThan(ATTEMPTS);
});

test("over a real server the same attempts make the same pairs, and a failed call costs its attempt alone", async () => {
  const scripted = await collect("config_scripted.yml", "scripted");
  const reply: ServerOptions["reply"] = ({ messages, seed }) => agent(messages, seed);
  let served: Awaited<ReturnType<typeof collect>>;
  let broken: Awaited<ReturnType<typeof collect>>;
  {
    await using _ = await serve("TOOL_AGENT_LLM_URL", { reply });
    served = await collect("config.yml", "served");
  }
  {
    const faults: ServerOptions["faults"] = (_, call) => (call === 40 ? { kind: "status", status: 400 } : null);
    await using _ = await serve("TOOL_AGENT_LLM_URL", { reply, faults });
    broken = await collect("config.yml", "broken");
  }

  const ids = async ({ read }: typeof served) =>
    (await read<PreferencePair>("pairs.jsonl")).map((pair) => pair.pair_id);
  expect(served.code).toBe(0);
  expect(await ids(served)).toEqual(await ids(scripted));

  const runs = await broken.read<RunRecord>("runs.jsonl");
  const failed = runs
    .flatMap(({ steps }) => steps.map(({ payload }) => payload))
    .filter(({ event_type, data }) => event_type === "TTC_END" && data?.output === null);
  expect(broken.result).toMatchObject({ completed: 20, failed: 0, candidates: ATTEMPTS });
  expect(failed).toHaveLength(1);
  expect(failed[0]?.data?.score).toBeNull();
});

test("with the judge: attempts that are right differ by how they came to it", async () => {
  await using _agent = await serve("TOOL_AGENT_LLM_URL", { reply: ({ messages, seed }) => agent(messages, seed) });
  await using _judge = await serve("TOOL_AGENT_JUDGE_URL", { reply: ({ messages }) => judge(messages) });
  const { code, result, read } = await collect("config_judge.yml", "out");
  const pairs = await read<PreferencePair>("pairs.jsonl");

  expect(code).toBe(0);
  expect(result.scores.solved).toMatchObject({ average_score: 1, n: 20 });
  expect(pairs.every(({ score_diff }) => score_diff >= 0.1)).toBe(true);
  const rightBoth = pairs.filter(({ chosen, rejected }) => answerOf(chosen) === answerOf(rejected));
  expect(rightBoth.length).toBeGreaterThan(5);
  expect(rightBoth.some(({ chosen, rejected }) => usesTools(chosen) && !usesTools(rejected))).toBe(true);
});

test("a question that is no text fails its example, and says which setting names the field", async () => {
  const key = "--override=eval.general.dataset.structure.question_key=answer";
  const { code, result, read } = await collect("config_scripted.yml", "out", key);

  expect(code).toBe(3);
  expect(result).toMatchObject({ completed: 0, failed: 20 });
  const [run] = await read<RunRecord>("runs.jsonl");
  expect(run?.error).toMatchObject({ code: "bad_problem" });
});

/** Judges by the rubric of config_judge.yml, from what the judge is shown and nothing else. */
function judge(messages: readonly Message[]): string {
  const shown = String(messages.at(-1)?.content);
  const right = /<<answer \w+>>\n(.*)\n/.exec(shown)?.[1];
  const reply = /<<reply \w+>>\n([\s\S]*)\n<<end of reply/.exec(shown)?.[1] ?? "";
  if (right === undefined || reply === "") throw new Error("the judge was not shown answer and reply");
  if (/Answer: (\S+)/.exec(reply)?.[1] !== right) return '{"score": 1, "reason": "wrong"}';
  const calls = reply.split("(calls the tool").length - 1;
  const failures = reply.split("error: ").length - 1;
  return JSON.stringify({ score: calls === 0 ? 6 : 10 - failures, reason: `${calls} calls, ${failures} failed` });
}
