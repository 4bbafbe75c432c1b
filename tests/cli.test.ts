import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { standInReply } from "../examples/tic-tac-toe/stand-in.ts";
import type { RunRecord } from "../src/records/run.ts";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import { guessReply } from "./support/guesses.ts";
import { type Ended, jsonOf, pairwright, startPairwright } from "./support/program.ts";
import {
  candidatesOf,
  exampleIds,
  filesBelow,
  makeProject,
  PLUGIN,
  type Project,
  pairLines,
  resultBytes,
  runDirs,
  runLines,
} from "./support/project.ts";

const EXAMPLES = 6;
const ROOT = fileURLToPath(new URL("..", import.meta.url));

let server: ModelServer;
/** A project with a run in it, which several tests only read. */
let shared: Project;
let collected: Ended;
let run_dir: string;

beforeAll(async () => {
  server = await startModelServer({ reply: guessReply });
  shared = await makeProject({ url: server.url, examples: EXAMPLES });
  collected = await shared.runWith({}, "collect", "config.yml", "--json");
  expect(collected).toMatchObject({ code: 0 });
  run_dir = (await runDirs(shared.out))[0] ?? "";
});
afterAll(async () => {
  await shared[Symbol.asyncDispose]();
  await server.close();
});

async function latestRuns(project: Project): Promise<RunRecord[]> {
  return runLines((await runDirs(project.out)).at(-1) ?? "");
}

describe("--json puts exactly one object on stdout", () => {
  test("collect", () => {
    expect(jsonOf(collected)).toMatchObject({
      run_dir: expect.stringContaining("out/"),
      examples: EXAMPLES,
      completed: EXAMPLES,
      failed: 0,
      scores: { quality: { average_score: expect.any(Number), n: EXAMPLES } },
      usage: { llm_calls: EXAMPLES * 9, total_tokens: expect.any(Number) },
      seconds: expect.any(Number),
      turns: EXAMPLES * 3,
      candidates: EXAMPLES * 9,
      pairs: expect.any(Number),
      skipped: {},
      training: expect.any(Number),
      validation: expect.any(Number),
    });
    expect(collected.stderr).toContain("run folder: ");
  });

  test("eval, which makes no pairs", async () => {
    const ended = await shared.run("eval", "config.yml", "--json", "-o", "eval.general.output_dir", "evaluated");
    expect(ended).toMatchObject({ code: 0 });
    const result = jsonOf<{ run_dir: string; completed: number }>(ended);
    expect(result).toMatchObject({ examples: EXAMPLES, completed: EXAMPLES, scores: { quality: { n: EXAMPLES } } });
    expect(result).not.toHaveProperty("pairs");
    await expect(pairLines(join(shared.dir, result.run_dir))).rejects.toThrow("ENOENT");
  });

  test("run", async () => {
    const ended = await shared.run("run", "config.yml", "--input", "e000", "e001", "--json");
    expect(ended).toMatchObject({ code: 0 });
    const { outputs, steps, usage } = jsonOf<{ outputs: { guesses: string[] }[]; steps: unknown[][]; usage: unknown }>(
      ended,
    );
    expect(outputs.map(({ guesses }) => guesses.length)).toEqual([3, 3]);
    expect(steps.map((list) => list.length)).toEqual([29, 29]);
    expect(usage).toMatchObject({ llm_calls: 18 });
  });

  test("validate, of a good file and of a bad one", async () => {
    const good = await shared.run("validate", "config.yml", "--json");
    expect(good).toMatchObject({ code: 0 });
    expect(jsonOf(good)).toMatchObject({ ok: true, problems: [] });
    const bad = await shared.run(
      "validate",
      "config.yml",
      "--json",
      "-o",
      "workflow.llm",
      "modle",
      "-o",
      "workflow.turn",
      "2",
    );
    expect(bad).toMatchObject({ code: 2 });
    const { ok, problems } = jsonOf<{ ok: boolean; problems: { path: string; message: string }[] }>(bad);
    expect(ok).toBe(false);
    expect(problems.map(({ path }) => path).sort()).toEqual(["workflow.llm", "workflow.turn"]);
  });

  test("validate --print-schema", async () => {
    const ended = await shared.run("validate", "--print-schema", "--plugin", PLUGIN, "--json");
    expect(ended).toMatchObject({ code: 0 });
    const schema = JSON.parse(ended.stdout) as Record<string, unknown>;
    expect(schema.$schema).toContain("json-schema.org");
    expect(ended.stdout).toContain('"guess"');
  });

  test("a reader that has had enough is no fault", async () => {
    const { child, ended } = startPairwright(["info", "components"], { cwd: shared.dir });
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("info components", async () => {
    const all = await shared.run("info", "components", "--json", "--plugin", PLUGIN);
    const { components } = jsonOf<{ components: { kind: string; type: string; options: { name: string }[] }[] }>(all);
    expect(components.length).toBeGreaterThan(15);
    const some = await shared.run("info", "components", "-t", "workflow", "-q", "GUESS", "--json", "--plugin", PLUGIN);
    expect(jsonOf(some)).toMatchObject({ components: [{ kind: "workflow", type: "guess" }] });
    const options = components.find(({ type }) => type === "guess")?.options.map(({ name }) => name);
    expect(options).toEqual(["llm", "turns", "candidates"]);
  });

  test("an error of what was typed, too", async () => {
    const lines: [string[], string][] = [
      [["collect", "config.yml", "--jsno", "--json"], "unknown option '--jsno'"],
      [["--json", "colect"], "unknown option '--json'"],
      [["colect", "--json"], "unknown command 'colect'"],
      [["pairs", "--json"], "unknown option '--json'"],
      [["pairs", "build", "--json"], "missing required argument 'run'"],
      [["collect", "config.yml", "--json", "--dataset"], "option '--dataset <file>' argument missing"],
    ];
    for (const [line, what] of lines) {
      const ended = await shared.run(...line);
      expect(ended, line.join(" ")).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`error[usage]: ${what}`),
      });
      expect(jsonOf(ended)).toMatchObject({ error: { code: "usage", what: expect.stringContaining(what) } });
    }
    // Behind `--` it is no flag.
    expect(await shared.run("colect", "--", "--json")).toMatchObject({ code: 2, stdout: "" });
  });

  test("an error, too", async () => {
    const ended = await shared.run("collect", "nowhere.yml", "--json");
    expect(ended).toMatchObject({ code: 2 });
    expect(jsonOf(ended)).toMatchObject({ error: { code: expect.any(String), what: expect.any(String) } });
  });
});

describe("pairs", () => {
  test("build makes the same files again, and others with other options, and calls no model", async () => {
    const calls = server.calls;
    const again = await shared.run("pairs", "build", run_dir, "--output", "again", "--plugin", PLUGIN, "--json");
    expect(again).toMatchObject({ code: 0 });
    const { candidates, turns, pairs, skipped } = jsonOf(collected);
    expect(jsonOf(again)).toMatchObject({ candidates, turns, pairs, skipped });
    expect(await resultBytes(join(shared.dir, "again"))).toEqual(await resultBytes(run_dir));

    const flags = ["--min_score_diff", "0.4", "--pair-mode", "best_vs_worst", "--output", "other", "--plugin", PLUGIN];
    const other = await shared.run("pairs", "build", run_dir, ...flags, "--json");
    expect(other).toMatchObject({ code: 0 });
    const fewer = await pairLines(join(shared.dir, "other"));
    expect(fewer.length).toBeGreaterThan(0);
    expect(fewer.length).toBe(jsonOf(other).pairs);
    expect(fewer.length).toBeLessThanOrEqual(EXAMPLES * 3);
    const all = await pairLines(run_dir);
    expect(all.map(({ pair_id }) => pair_id)).toEqual(expect.arrayContaining(fewer.map(({ pair_id }) => pair_id)));

    const none = await shared.run(
      "pairs",
      "build",
      run_dir,
      "--min-score-diff",
      "2",
      "--output",
      "none",
      "--plugin",
      PLUGIN,
    );
    expect(none.code).toBe(4);
    expect(none.stdout).toContain("below_min_score_diff");
    expect(server.calls).toBe(calls);
  });

  test("lint finds nothing in what was collected, and exits 3 where a row is at fault", async () => {
    const files = ["training_file.jsonl", "validation_file.jsonl"].map((name) => join(run_dir, "dataset", name));
    const clean = await shared.run("pairs", "lint", ...files, "--json");
    expect(clean).toMatchObject({ code: 0 });
    const { training, validation } = jsonOf<{ training: number; validation: number }>(collected);
    expect(jsonOf(clean)).toMatchObject({ rows: training + validation, findings: expect.any(Array) });

    const bad = join(shared.dir, "bad.jsonl");
    await writeFile(bad, `${JSON.stringify({ prompt: "a", chosen_response: "same", rejected_response: "same" })}\n`);
    const found = await shared.run("pairs", "lint", bad, "--json");
    expect(found).toMatchObject({ code: 3 });
    expect(Object.keys(jsonOf<{ faults: object }>(found).faults).length).toBeGreaterThan(0);
  });

  test("merge of one run is that run", async () => {
    const ended = await shared.run("pairs", "merge", run_dir, "--output", "merged", "--plugin", PLUGIN, "--json");
    expect(ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining("error") });
    expect(jsonOf(ended)).toMatchObject({ runs: 1, pairs: jsonOf(collected).pairs });
    expect(await resultBytes(join(shared.dir, "merged"))).toEqual(await resultBytes(run_dir));
  });

  test("a folder without runs is a usage error", async () => {
    for (const command of [["build"], ["merge", "--output", "x"]]) {
      const ended = await shared.run("pairs", ...command, "nothing-here");
      expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(/error\[no_runs_file\]/) });
    }
  });
});

describe("flags", () => {
  test("are known in kebab and in snake case, wherever the configuration is named", async () => {
    const lines = [
      ["eval", "config.yml", "--policy-only", "--max-failures", "3"],
      ["eval", "--config_file", "config.yml", "--policy_only", "--max_failures", "3"],
      ["eval", "--policy_only", "--config-file=config.yml", "--max_failures=3"],
    ];
    await using project = await makeProject({ url: server.url, examples: 2 });
    const outputs: unknown[] = [];
    for (const line of lines) {
      expect(await project.run(...line)).toMatchObject({ code: 0 });
      outputs.push((await latestRuns(project)).map(({ example_id, output }) => ({ example_id, output })));
    }
    expect(await runDirs(project.out)).toHaveLength(3);
    expect(outputs[1]).toEqual(outputs[0]);
    expect(outputs[2]).toEqual(outputs[0]);
  });

  test("--policy-only asks for one candidate a turn, and scores none", async () => {
    await using project = await makeProject({ url: server.url, examples: 2 });
    expect(await project.run("eval", "config.yml", "--policy-only", "--json")).toMatchObject({ code: 0 });
    for (const run of await latestRuns(project)) {
      expect(
        candidatesOf(run).map(({ turn_index, candidate_index, score }) => [turn_index, candidate_index, score]),
      ).toEqual([
        [0, 0, null],
        [1, 0, null],
        [2, 0, null],
      ]);
    }
  });

  test("-o takes the type of what it replaces, and can be given often", async () => {
    await using project = await makeProject({ url: server.url, examples: 2 });
    const overrides = [
      "-o",
      "workflow.turns",
      "1",
      "--override",
      "workflow.candidates",
      "2",
      "-o",
      "llms.model.model_name=7",
    ];
    expect(await project.run("eval", "config.yml", ...overrides)).toMatchObject({ code: 0 });
    const [run] = await latestRuns(project);
    expect(candidatesOf(run)).toHaveLength(2);
    expect(candidatesOf(run)[0]?.metadata.model).toBe("7");
  });

  test("--dataset takes the examples from another file, of any kind", async () => {
    await using project = await makeProject({ url: server.url });
    await writeFile(join(project.dir, "other.json"), JSON.stringify([{ id: "j1", question: "one" }]));
    await writeFile(join(project.dir, "other.csv"), "id,question\nc1,one\nc2,two\n");
    expect(await project.run("eval", "config.yml", "--dataset", "other.json")).toMatchObject({ code: 0 });
    expect((await latestRuns(project)).map(({ example_id }) => example_id)).toEqual(["j1"]);
    expect(await project.run("eval", "config.yml", "--dataset", "other.csv")).toMatchObject({ code: 0 });
    expect((await latestRuns(project)).map(({ example_id }) => example_id).sort()).toEqual(["c1", "c2"]);
  });

  test("--reps runs each example as often, each time with other seeds", async () => {
    await using project = await makeProject({ url: server.url, examples: 2 });
    const ended = await project.run("collect", "config.yml", "--reps", "3", "--json");
    expect(jsonOf(ended)).toMatchObject({ examples: 6, completed: 6 });
    const runs = await latestRuns(project);
    expect(runs.map(({ example_id, rep }) => `${example_id}/${rep}`).sort()).toEqual(
      ["e000", "e001"].flatMap((id) => [0, 1, 2].map((rep) => `${id}/${rep}`)),
    );
    expect(new Set(runs.map((run) => JSON.stringify(run.output))).size).toBe(6);
  });

  test("--seed decides every random choice: the same one the same bytes, another one others", async () => {
    await using project = await makeProject({ url: server.url, examples: 3 });
    for (const seed of ["5", "5", "6"]) {
      expect(await project.run("collect", "config.yml", "--no-cache", "--seed", seed)).toMatchObject({ code: 0 });
    }
    const [first = "", same = "", other = ""] = await runDirs(project.out);
    expect(await resultBytes(same)).toEqual(await resultBytes(first));
    expect((await resultBytes(other))["pairs.jsonl"]).not.toBe((await resultBytes(first))["pairs.jsonl"]);
  });

  test("--no-cache calls the model, and without it a second run does not", async () => {
    await using project = await makeProject({ url: server.url, examples: 2 });
    const callsOf = async (...args: string[]) => {
      const before = server.calls;
      expect(await project.run("eval", "config.yml", ...args)).toMatchObject({ code: 0 });
      return server.calls - before;
    };
    expect([await callsOf(), await callsOf(), await callsOf("--no-cache"), await callsOf("--no_cache")]).toEqual([
      18, 0, 18, 18,
    ]);
  });

  test("--dry-run counts, estimates by the newest run, and calls no model", async () => {
    const calls = server.calls;
    const known = await shared.run("collect", "config.yml", "--dry-run", "--reps", "2", "--json");
    expect(known).toMatchObject({ code: 0 });
    expect(jsonOf(known)).toMatchObject({
      examples: EXAMPLES * 2,
      estimated: { from_run: run_dir.split("/").at(-1), llm_calls: EXAMPLES * 18 },
    });
    const unknown = await shared.run(
      "eval",
      "config.yml",
      "--dry_run",
      "--json",
      "-o",
      "eval.general.output_dir",
      "dry",
    );
    expect(jsonOf(unknown)).toEqual({ examples: EXAMPLES, estimated: null });
    expect(server.calls).toBe(calls);
  });

  test("--quiet says nothing where nothing is wrong, --verbose gives errors their stack", async () => {
    const quiet = await shared.run(
      "eval",
      "config.yml",
      "--quiet",
      "--resume",
      "--json",
      "-o",
      "eval.general.output_dir",
      "q",
    );
    expect(quiet).toMatchObject({ code: 0, stderr: "" });
    // As it is shipped, minified, it names its functions and their lines.
    const frame = /\n\s+at (async )?loadConfig \(file:.*\/dist\/config\/load\.js:\d\d+:\d+\)\n/;
    const verbose = await shared.run("collect", "nowhere.yml", "--verbose");
    expect(verbose.stderr).toMatch(frame);
    const level = await shared.runWith({ NAT_LOG_LEVEL: "DEBUG" }, "collect", "nowhere.yml");
    expect(level.stderr).toMatch(frame);
  });

  test("--shard without an example of its own is said, and is no error", async () => {
    await using project = await makeProject({ url: server.url, examples: 3 });
    for (const more of [["--dry-run"], []]) {
      const ended = await project.run("collect", "config.yml", "--shard", "5/9", "--json", ...more);
      expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining("warning: shard 5/9 holds no examples") });
      expect(jsonOf(ended)).toMatchObject({ examples: 0 });
    }
    const some = await project.run("collect", "config.yml", "--shard", "2/9");
    expect(some).toMatchObject({ code: 0, stderr: expect.not.stringContaining("warning") });
  });

  test("--dry-run and `run` leave the disk as it was", async () => {
    await using project = await makeProject({ url: server.url, examples: 2 });
    const before = await filesBelow(project.dir);
    expect(await project.run("collect", "config.yml", "--dry-run")).toMatchObject({ code: 0 });
    expect(await project.run("run", "config.yml", "--input", "e000")).toMatchObject({ code: 0 });
    expect(await filesBelow(project.dir)).toEqual(before);
    await expect(readdir(project.out)).rejects.toThrow("ENOENT");

    // A cache that earlier runs have left is used.
    expect(await project.run("eval", "config.yml")).toMatchObject({ code: 0 });
    const calls = server.calls;
    expect(await project.run("run", "config.yml", "--input", "e009")).toMatchObject({ code: 0 });
    expect(await project.run("run", "config.yml", "--input", "e009")).toMatchObject({ code: 0 });
    expect(server.calls).toBe(calls + 9);
  });
});

/** A project whose workflow never answers e001, unless AWAKE is set, and keeps the process alive if HOLD is. */
async function stubborn(): Promise<Project> {
  const project = await makeProject({
    url: server.url,
    examples: 3,
    workflow: { _type: "sleeper" },
    evaluators: { waits: { _type: "sleeper" } },
    sections: { plugins: ["./sleeper.ts"], trajectory_builders: {} },
  });
  await writeFile(
    join(project.dir, "sleeper.ts"),
    `import { definePlugin, z } from "pairwright";
const { HOLD, AWAKE } = process.env;
const never = (what: string) => new Promise<string>(() => {
  if (HOLD) setInterval(() => undefined, 1000);
  console.error("asleep in " + what);
});
export default definePlugin((registry) => {
  registry.workflow("sleeper", {
    options: z.object({ llm: z.string() }),
    build: () => async (question: string) => question === "e001" && AWAKE !== "1" ? never("workflow") : question,
  });
  registry.evaluator("sleeper", {
    options: z.strictObject({}),
    build: () => ({ evaluate: () => AWAKE === "score" || HOLD === "score" ? never("evaluator") : { score: 1 } }),
  });
});
`,
  );
  return project;
}

describe("a process that would not end well by itself", () => {
  test("a promise that never settles is named, and the run can go on", async () => {
    await using project = await stubborn();
    const ended = await project.runWith({}, "eval", "config.yml", "--json");
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining("error[stuck]: ") });
    expect(jsonOf(ended)).toMatchObject({ error: { code: "stuck", what: expect.stringContaining('"e001"') } });
    const [dir = ""] = await runDirs(project.out);
    expect((await runLines(dir)).map(({ example_id }) => example_id).sort()).toEqual(["e000", "e002"]);

    const resumed = await project.runWith({ AWAKE: "1" }, "eval", "config.yml", "--resume", "--json");
    expect(resumed).toMatchObject({ code: 0 });
    expect(jsonOf(resumed)).toMatchObject({ completed: 3, scores: { waits: { n: 3 } } });
    expect(await runDirs(project.out)).toEqual([dir]);
  });

  test("a third Ctrl-C or SIGTERM ends it at once, during the work and after it", async () => {
    await using project = await stubborn();
    const env = { AWAKE: "1", HOLD: "score" };
    const during = startPairwright(["eval", "config.yml"], { cwd: project.dir, env });
    await during.says("asleep in evaluator");
    during.child.kill("SIGINT");
    await during.says("Ctrl-C again to stop at once");
    during.child.kill("SIGTERM");
    await during.says("Ctrl-C again to end the process");
    during.child.kill("SIGTERM");
    expect(await during.ended).toMatchObject({ code: 130, signal: null });

    const after = startPairwright(["eval", "config.yml"], { cwd: project.dir, env: { HOLD: "workflow" } });
    await after.says("asleep in workflow");
    after.child.kill("SIGINT");
    await after.says("Ctrl-C again to stop at once");
    after.child.kill("SIGINT");
    await after.says("error[interrupted]");
    after.child.kill("SIGINT");
    expect(await after.ended).toMatchObject({ code: 130, signal: null });
  });
});

describe("answers that are there already", () => {
  test("--skip_workflow scores an earlier run's workflow_output.json without the workflow", async () => {
    const calls = server.calls;
    const file = join(shared.out, "workflow_output.json");
    const flags = ["--skip_workflow", "--dataset", file, "-o", "eval.general.output_dir", "skipped", "--json"];
    const ended = await shared.run("collect", "config.yml", ...flags);
    expect(ended).toMatchObject({ code: 0 });
    const {
      scores,
      pairs,
      run_dir: dir,
    } = jsonOf<{ scores: Record<string, unknown>; pairs: number; run_dir: string }>(ended);
    const first = jsonOf<{ scores: Record<string, unknown>; pairs: number }>(collected);
    expect(scores.quality).toEqual(first.scores.quality);
    // Its steps are there, too: the candidates of then make the pairs of now.
    expect(pairs).toBe(first.pairs);
    const ids = (lines: { pair_id: string }[]) => lines.map(({ pair_id }) => pair_id);
    expect(ids(await pairLines(join(shared.dir, dir)))).toEqual(ids(await pairLines(run_dir)));
    expect(server.calls).toBe(calls);
  });

  test("--skip_completed_entries runs only the entries that hold no answer", async () => {
    const entries = JSON.parse(await readFile(join(shared.out, "workflow_output.json"), "utf8")) as Record<
      string,
      unknown
    >[];
    const half = entries.map((entry, index) => (index % 2 === 0 ? entry : { ...entry, generated_answer: "" }));
    await using project = await makeProject({ url: server.url });
    await writeFile(join(project.dir, "half.json"), JSON.stringify(half));
    const calls = server.calls;
    const ended = await project.run(
      "eval",
      "config.yml",
      "--skip_completed_entries",
      "--dataset",
      "half.json",
      "--json",
    );
    expect(ended).toMatchObject({ code: 0 });
    expect(server.calls - calls).toBe((EXAMPLES / 2) * 9);
    const outputs = (runs: RunRecord[]) => Object.fromEntries(runs.map((run) => [run.example_id, run.output]));
    expect(outputs(await latestRuns(project))).toEqual(outputs(await runLines(run_dir)));
  });

  test("--result_json_path evaluates a part of the result", async () => {
    await using project = await makeProject({ url: server.url, examples: 2 });
    expect(await project.run("eval", "config.yml", "--result_json_path", "$.guesses[1]")).toMatchObject({ code: 0 });
    for (const { example_id, output } of await latestRuns(project)) {
      const whole = (await runLines(run_dir)).find((run) => run.example_id === example_id);
      expect(whole).toMatchObject({ output: { guesses: [expect.anything(), output, expect.anything()] } });
    }
  });

  test("one that leads nowhere is a failed example each, not a dead run", async () => {
    await using project = await makeProject({ url: server.url, examples: 2 });
    const wrong = await project.run("eval", "config.yml", "--result_json_path", "$.nothing[3]", "--json");
    expect(jsonOf(wrong)).toMatchObject({ examples: 2 });
    const nonsense = await project.run("eval", "config.yml", "--result_json_path", "$[[");
    expect(nonsense).toMatchObject({ code: 2 });
  });
});

describe("--endpoint", () => {
  let remote: Server;
  let url: string;
  const asked: { path: string | undefined; body: unknown }[] = [];

  beforeAll(async () => {
    remote = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => {
        text += String(chunk);
      });
      request.on("end", () => {
        const body = JSON.parse(text) as { input_message: string };
        asked.push({ path: request.url, body });
        if (body.input_message === "e002") {
          response.writeHead(500).end("it is broken");
          return;
        }
        if (body.input_message === "e003") return;
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        for (const candidate_index of [0, 1]) {
          const data = {
            turn_id: "t0",
            turn_index: 0,
            candidate_index,
            input: `say ${body.input_message}`,
            output: `reply ${candidate_index} to ${body.input_message}`,
            score: candidate_index,
          };
          const payload = {
            event_type: "TTC_END",
            event_timestamp: 1,
            name: "dpo_candidate_move",
            UUID: `u${candidate_index}`,
            data,
          };
          response.write(
            `intermediate_data: ${JSON.stringify({ id: "1", type: "x", name: "y", payload: JSON.stringify(payload) })}\n\n`,
          );
        }
        response.end(`data: ${JSON.stringify({ value: "700 it is" })}\n\n`);
      });
    });
    await new Promise<void>((resolve) => remote.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(remote.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    remote.closeAllConnections();
    remote.close();
  });

  test("runs the workflow that is served there: its answers, its steps, its faults and its silence", async () => {
    await using project = await makeProject({ url: server.url, examples: 5 });
    const calls = server.calls;
    const flags = ["--endpoint", url, "--endpoint_timeout", "1", "--json"];
    const ended = await project.run("collect", "config.yml", ...flags);
    expect(ended).toMatchObject({ code: 3 });
    expect(jsonOf(ended)).toMatchObject({ examples: 5, completed: 3, failed: 2, pairs: 3, candidates: 6, turns: 3 });
    expect(server.calls).toBe(calls);
    expect(asked).toEqual(
      expect.arrayContaining(exampleIds(5).map((id) => ({ path: "/generate/full", body: { input_message: id } }))),
    );
    const runs = new Map((await latestRuns(project)).map((run) => [run.example_id, run]));
    expect(runs.get("e000")).toMatchObject({ status: "completed", output: "700 it is" });
    expect(runs.get("e002")?.error).toMatchObject({ message: expect.stringContaining("answered 500: it is broken") });
    expect(runs.get("e003")).toMatchObject({ status: "failed" });
  });
});

describe("what a user sees", () => {
  const COMMANDS = [
    [],
    ["collect"],
    ["eval"],
    ["run"],
    ["validate"],
    ["pairs"],
    ["pairs", "build"],
    ["pairs", "lint"],
    ["pairs", "merge"],
    ["model"],
    ["model", "import"],
    ["launch"],
    ["info"],
    ["info", "components"],
  ];

  test.concurrent.each(COMMANDS.map((words) => [words.join(" ") || "pairwright", words]))(
    "%s --help says what there is",
    async (_, words) => {
      const ended = await pairwright([...words, "--help"], { cwd: shared.dir });
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      expect(ended.stdout).toMatch(new RegExp(`^Usage: pairwright ${words.join(" ")}`));
      expect(ended.stdout).toContain("--help");
    },
  );

  test("no command at all says what there is, too", async () => {
    const ended = await pairwright([], { cwd: shared.dir });
    expect(ended).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^Usage: pairwright/) });
  });

  test("--version is the package's", async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
    expect(await pairwright(["--version"], { cwd: shared.dir })).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test("no colours where nobody looks, nor with NO_COLOR or --no-color", async () => {
    for (const [env, args] of [
      [{}, []],
      [{ NO_COLOR: "1" }, []],
      [{}, ["--no-color"]],
    ] as const) {
      const { stderr } = await shared.runWith(env, "collect", "nowhere.yml", ...args);
      expect(stderr).toMatch(/^error\[/);
      expect(stderr).not.toContain("\u001b");
    }
  });

  test("the summary in words: counts, scores, yield, and where it all lies", async () => {
    const { stderr } = collected;
    for (const words of [
      `${EXAMPLES} of ${EXAMPLES} examples completed`,
      "quality",
      "model calls",
      "run folder: out/",
      "candidates in 18 turns",
      "pairs per 1,000 tokens",
      "turns without signal: 0",
      "dataset/training_file.jsonl",
    ]) {
      expect(stderr).toContain(words);
    }
  });

  test("a run folder with everything that was promised, the newest under `latest`", async () => {
    const latest = await readFile(join(shared.out, "latest", "manifest.json"), "utf8");
    expect(JSON.parse(latest)).toMatchObject({ status: "completed", counts: { pairs: jsonOf(collected).pairs } });
    for (const name of [
      "config_effective.yml",
      "config_original.yml",
      "workflow_output.json",
      "quality_output.json",
      "latest/runs.jsonl",
      "latest/scores.jsonl",
      "latest/pairs.jsonl",
      "latest/dataset/training_file.jsonl",
      "latest/dataset/validation_file.jsonl",
      "latest/dataset/manifest.json",
    ]) {
      expect((await readFile(join(shared.out, name))).length).toBeGreaterThan(0);
    }
  });
});

describe("the tic-tac-toe example", () => {
  test("plays real games into pairs, and what is played by itself is measured", async () => {
    await using project = await makeProject({ url: server.url });
    const example = join(ROOT, "examples/tic-tac-toe");
    const rows = JSON.parse(await readFile(join(example, "data/data.json"), "utf8")) as unknown[];
    await writeFile(join(project.dir, "few.json"), JSON.stringify(rows.slice(0, 4)));
    const player = await startModelServer({ reply: standInReply });
    const env = { TRAINING_LLM_URL: player.url, TRAINING_LLM_NAME: "stand-in" };
    const config = join(example, "configs/config.yml");
    const ended = await project.runWith(env, "collect", config, "--dataset", "few.json", "--json");
    expect(ended).toMatchObject({ code: 0 });
    const { completed, pairs, scores } = jsonOf<{ completed: number; pairs: number; scores: object }>(ended);
    expect(completed).toBe(4);
    expect(pairs).toBeGreaterThan(10);
    expect(scores).toMatchObject({ game_outcome: { n: 4, metrics: { win_rate: expect.anything() } } });

    const alone = await project.runWith(env, "eval", config, "--dataset", "few.json", "--policy-only", "--json");
    expect(alone).toMatchObject({ code: 0 });
    expect(jsonOf(alone)).toMatchObject({ completed: 4 });
    await player.close();
  });
});
