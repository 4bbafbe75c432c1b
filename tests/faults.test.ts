// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts under test hold variables
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunRecord } from "../src/records/run.ts";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import type { Fault } from "../src/testing/model-server-fault.ts";
import type { ModelRequest } from "../src/testing/model-server-reply.ts";
import { mayMount, mounted } from "./support/disk.ts";
import { candidateSeed, guessReply, placeOf } from "./support/guesses.ts";
import { jsonOf } from "./support/program.ts";
import {
  type CandidateLine,
  candidatesOf,
  exampleIds,
  makeProject,
  type PairLine,
  type Project,
  pairLines,
  resultBytes,
  runDirs,
  runLines,
} from "./support/project.ts";

/** One example for each fault: its second candidate of its second turn meets it, whoever asks and however often. */
const FAULTS: Record<string, Fault> = {
  e000: { kind: "status", status: 429, retry_after: 0.01 },
  e001: { kind: "status", status: 500 },
  e002: { kind: "status", status: 503 },
  e003: { kind: "hang" },
  e004: { kind: "close" },
  e005: { kind: "broken_json" },
  e006: { kind: "empty_choices" },
  e007: { kind: "refusal", text: "I would rather not." },
  e008: { kind: "cut_body" },
  e009: { kind: "slow_body" },
  e010: { kind: "status", status: 400, message: "no" },
};
/** The best candidate of this one's second turn is cut off. */
const TRUNCATED = "e011";
const RECOVERS = "e012";
const TURN = 1;
const HIT = 1;
const EXAMPLES = 16;

interface Collected {
  runs: Map<string, RunRecord>;
  pairs: PairLine[];
  stdout: string;
}

async function collected(project: Project): Promise<Collected> {
  const ended = await project.run("collect", "config.yml", "--no-cache", "--json");
  expect(ended).toMatchObject({ code: 0 });
  const [run_dir = ""] = await runDirs(project.out);
  const runs = new Map((await runLines(run_dir)).map((run) => [run.example_id, run]));
  return { runs, pairs: await pairLines(run_dir), stdout: ended.stdout };
}

describe("one call of a turn that fails costs one candidate", () => {
  let clean: Collected;
  let hurt: Collected;
  let truncated_index: number;
  const recovering: number[] = [];

  beforeAll(async () => {
    const settings = { examples: EXAMPLES, llm: { num_retries: 1, request_timeout: 0.6 } };
    const server = await startModelServer({ reply: guessReply });
    await using project = await makeProject({ ...settings, url: server.url });
    clean = await collected(project);
    const best = turnOf(clean, TRUNCATED).reduce((a, b) => ((b.score ?? 0) > (a.score ?? 0) ? b : a));
    truncated_index = best.candidate_index;
    await server.close();

    const faulty = await startModelServer({
      reply: guessReply,
      faults: (request) => faultFor(request, truncated_index, recovering),
    });
    await using same = await makeProject({ ...settings, url: faulty.url });
    hurt = await collected(same);
    await faulty.close();
  });

  function faultFor(request: ModelRequest, truncated: number, times: number[]): Fault | null {
    const { example_id } = placeOf(request);
    const hit = (id: string, index: number) => request.seed === candidateSeed(id, TURN, index);
    if (hit(TRUNCATED, truncated)) return { kind: "truncated" };
    if (hit(RECOVERS, HIT)) {
      times.push(Date.now());
      return times.length === 1 ? { kind: "status", status: 429, retry_after: 0.3 } : null;
    }
    return hit(example_id, HIT) ? (FAULTS[example_id] ?? null) : null;
  }

  const turnOf = ({ runs }: Collected, id: string): CandidateLine[] =>
    candidatesOf(runs.get(id)).filter(({ turn_index }) => turn_index === TURN);
  const pairsOf = ({ pairs }: Collected, id: string, turn = TURN) =>
    pairs.filter(({ example_id, turn_index }) => example_id === id && turn_index === turn);

  test("every example completes, and those that met no fault are as ever", () => {
    expect([...hurt.runs.values()].map(({ status }) => status)).toEqual(Array(EXAMPLES).fill("completed"));
    for (const id of exampleIds(EXAMPLES).slice(12)) {
      expect(hurt.runs.get(id)?.output).toEqual(clean.runs.get(id)?.output);
      for (const turn of [0, 1, 2]) expect(pairsOf(hurt, id, turn)).toEqual(pairsOf(clean, id, turn));
    }
    // The turn before, in all of them.
    for (const id of exampleIds(EXAMPLES)) expect(pairsOf(hurt, id, 0)).toEqual(pairsOf(clean, id, 0));
  });

  test.each([
    ["429", "e000", "llm_status", /answered 429/],
    ["500", "e001", "llm_status", /answered 500/],
    ["503", "e002", "llm_status", /answered 503/],
    ["a server that hangs", "e003", "llm_timeout", /0\.6 s/],
    ["a closed socket", "e004", "llm_unreachable", /./],
    ["broken JSON", "e005", "llm_bad_reply", /not JSON/],
    ["an empty choice", "e006", "llm_empty_reply", /no choice/],
    ["a reply that is cut on the wire", "e008", "llm_unreachable", /./],
    ["a reply that stops half-way", "e009", "llm_timeout", /0\.6 s/],
    ["400", "e010", "llm_status", /answered 400/],
  ])("%s stands in the records as one candidate without a reply, and makes no pair", (_, id, code, message) => {
    const turn = turnOf(hurt, id);
    expect(turn.map(({ candidate_index }) => candidate_index)).toEqual([0, 1, 2]);
    const error = { code, message: expect.stringMatching(message) };
    expect(turn[HIT]).toMatchObject({ output: null, score: null, metadata: { is_selected: false, error } });

    const others = (candidates: CandidateLine[]) =>
      candidates.filter((_candidate, index) => index !== HIT).map(({ output, score }) => ({ output, score }));
    expect(others(turn)).toEqual(others(turnOf(clean, id)));
    expect(turn.filter(({ metadata }) => metadata.is_selected)).toHaveLength(1);

    const without = pairsOf(clean, id).filter(
      ({ chosen_index, rejected_index }) => chosen_index !== HIT && rejected_index !== HIT,
    );
    expect(without.length).toBe(1);
    expect(pairsOf(hurt, id)).toEqual(without);
  });

  test("a refusal is kept with its words and its mark, and makes no pair while nobody scored it", () => {
    const refused = turnOf(hurt, "e007")[HIT];
    expect(refused).toMatchObject({
      output: "I would rather not.",
      score: null,
      metadata: { refusal: true, finish_reason: "stop", is_selected: false },
    });
    expect(pairsOf(hurt, "e007").flatMap((pair) => [pair.chosen_index, pair.rejected_index])).not.toContain(HIT);
    expect(pairsOf(hurt, "e007")).toHaveLength(1);
  });

  test("a reply cut off at the token limit keeps its reason, and is never chosen however well it scores", () => {
    const cut = turnOf(hurt, TRUNCATED)[truncated_index];
    const whole = turnOf(clean, TRUNCATED)[truncated_index];
    expect(cut).toMatchObject({ metadata: { finish_reason: "length" }, score: whole?.score });
    expect(String(whole?.output).startsWith(String(cut?.output))).toBe(true);
    expect(pairsOf(clean, TRUNCATED).some(({ chosen_index }) => chosen_index === truncated_index)).toBe(true);
    expect(pairsOf(hurt, TRUNCATED).some(({ chosen_index }) => chosen_index === truncated_index)).toBe(false);
    expect(pairsOf(hurt, TRUNCATED)).toHaveLength(1);
  });

  test("the counts say what was left out and why", () => {
    const { skipped } = JSON.parse(hurt.stdout) as { skipped: Record<string, number> };
    expect(skipped).toMatchObject({ empty: 10, unscored: 1, truncated_chosen: 2 });
  });

  test("429 with Retry-After is tried again after that time, and costs nothing", () => {
    expect(recovering).toHaveLength(2);
    expect((recovering[1] ?? 0) - (recovering[0] ?? 0)).toBeGreaterThanOrEqual(295);
    expect(turnOf(hurt, RECOVERS).map(({ output }) => output)).toEqual(
      turnOf(clean, RECOVERS).map(({ output }) => output),
    );
  });
});

describe("examples whose every call fails", () => {
  const broken = new Set(["e002", "e005"]);

  test("fail with the reason, the others complete, and --resume plays them alone", async () => {
    let well = false;
    const server = await startModelServer({
      reply: guessReply,
      faults: (request) =>
        !well && broken.has(placeOf(request).example_id)
          ? { kind: "status", status: 500, message: "overheated" }
          : null,
    });
    await using project = await makeProject({ url: server.url, examples: 8 });
    const ended = await project.run("collect", "config.yml", "--no-cache", "--json");
    expect(ended).toMatchObject({ code: 3 });
    expect(jsonOf(ended)).toMatchObject({ examples: 8, completed: 6, failed: 2 });
    const [run_dir = ""] = await runDirs(project.out);
    const failed = (await runLines(run_dir)).filter(({ status }) => status === "failed");
    expect(failed.map(({ example_id }) => example_id).sort()).toEqual([...broken]);
    for (const { error, steps, output } of failed) {
      expect(error?.code).toBe("turn_failed");
      expect(error?.message).toMatch(/turn 0 \("guess"\): no candidate could be sampled: .*answered 500.*overheated/);
      expect(output).toBeNull();
      // What was tried is not lost.
      expect(steps.filter(({ payload }) => payload.name === "dpo_candidate_move")).toHaveLength(3);
    }

    well = true;
    const before = server.calls;
    const again = await project.run("collect", "config.yml", "--no-cache", "--resume", "--json");
    expect(again).toMatchObject({ code: 0 });
    expect(jsonOf(again)).toMatchObject({ completed: 8, failed: 0 });
    expect(await runDirs(project.out)).toEqual([run_dir]);
    expect(server.calls - before).toBe(broken.size * 9);
    await server.close();
  });

  test("a model server that nobody runs fails every example, naming the endpoint", async () => {
    const url = await freeUrl();
    await using project = await makeProject({ url, examples: 3 });
    const ended = await project.run("collect", "config.yml");
    expect(ended.code).toBe(6);
    expect(ended.stdout).toContain("0 of 3 examples completed, 3 failed");
    const [run_dir = ""] = await runDirs(project.out);
    for (const { error } of await runLines(run_dir)) {
      expect(error?.message).toContain(`POST ${url}/chat/completions`);
    }
    // Not only in a file: a person must see at once where to look.
    expect(ended.stderr).toContain(`${url}/chat/completions`);
  });

  test("more than --max-failures of them stop the run, resumable", async () => {
    let well = false;
    const server = await startModelServer({
      reply: guessReply,
      faults: () => (well ? null : { kind: "status", status: 500 }),
    });
    await using project = await makeProject({ url: server.url, examples: 40, general: { max_concurrency: 2 } });
    const ended = await project.run("collect", "config.yml", "--no-cache", "--max-failures", "3");
    expect(ended).toMatchObject({ code: 3 });
    expect(ended.stderr).toMatch(/more examples failed than --max-failures allows/);
    expect(server.calls).toBeLessThan(40 * 3);
    well = true;
    const again = await project.run("collect", "config.yml", "--no-cache", "--max-failures", "3", "--resume");
    expect(again).toMatchObject({ code: 0 });
    expect((await runDirs(project.out)).length).toBe(1);
    await server.close();
  });

  test("as many as --max-failures allows are no error", async () => {
    const server = await startModelServer({
      reply: guessReply,
      faults: (request) => (broken.has(placeOf(request).example_id) ? { kind: "status", status: 500 } : null),
    });
    await using project = await makeProject({ url: server.url, examples: 8 });
    expect(await project.run("collect", "config.yml", "--max-failures", "2")).toMatchObject({ code: 0 });
    await server.close();
  });
});

describe("a disk", () => {
  let server: ModelServer;
  /** A run that met no fault. */
  let whole: Project;
  beforeAll(async () => {
    server = await startModelServer({ reply: guessReply });
    whole = await makeProject({ url: server.url, examples: 120 });
    expect(await whole.run("collect", "config.yml", "--no-cache")).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await whole[Symbol.asyncDispose]();
    await server.close();
  });

  // What of the run's files fits on the disk, one stage after another.
  const RUNS = ["runs.jsonl", "config_original.yml", "config_effective.yml"];
  const FITS: [string, string[], number][] = [
    ["while it plays", [], 200_000],
    ["while it scores", RUNS, 16_384],
    ["while it writes what the seeds' readers look for", [...RUNS, "scores.jsonl"], 40_000],
    ["while it builds pairs", [...RUNS, "scores.jsonl", "workflow_output.json", "quality_output.json"], 60_000],
  ];

  test.skipIf(!mayMount()).each(FITS)(
    "that is full %s stops the run cleanly; --resume completes it",
    async (_, files, room) => {
      const [whole_dir = ""] = await runDirs(whole.out);
      const sizes = await Promise.all(files.map(async (name) => (await stat(join(whole_dir, name))).size));
      const pages = sizes.reduce((sum, size) => sum + Math.ceil(size / 4096) * 4096, room);

      await using project = await makeProject({ url: server.url, examples: 120 });
      using disk = await mounted(project.out, `size=${pages}`);
      const ended = await project.run("collect", "config.yml", "--no-cache", "--json");
      expect(ended).toMatchObject({ code: 130 });
      expect(ended.stderr).toMatch(/error\[disk_full\]: .*the disk is full[\s\S]*fix: make room, then .*--resume/);
      expect(jsonOf(ended)).toMatchObject({ error: { code: "disk_full" } });
      const [run_dir = ""] = await runDirs(project.out);
      const before = await runLines(run_dir);
      expect(before.every(({ status }) => status === "completed")).toBe(true);
      const there = await readdir(run_dir);
      expect(there).not.toContain("pairs.jsonl");
      expect((await readdir(run_dir, { recursive: true })).filter((name) => name.endsWith(".partial"))).toEqual([]);

      disk.remount("size=16m");
      expect(await project.run("collect", "config.yml", "--no-cache", "--resume")).toMatchObject({ code: 0 });
      expect(await runDirs(project.out)).toEqual([run_dir]);
      expect(await resultBytes(run_dir)).toEqual(await resultBytes(whole_dir));
      expect((await runLines(run_dir)).slice(0, before.length)).toEqual(before);
    },
  );

  test.skipIf(!mayMount())("that may only be read is a usage error", async () => {
    await using project = await makeProject({ url: server.url });
    using _ = await mounted(project.out, "ro,size=1m");
    const before = server.calls;
    const ended = await project.run("collect", "config.yml", "--no-cache");
    expect(ended).toMatchObject({ code: 2 });
    expect(ended.stderr).toMatch(
      /error\[output_not_writable\]: .*out: .*\(EROFS\)\n {2}fix: set eval\.general\.output_dir/,
    );
    expect(server.calls).toBe(before);
  });

  test("with a file where the output folder should be is a usage error, with and without the cache", async () => {
    await using project = await makeProject({ url: server.url, general: { output_dir: "file/out" } });
    await writeFile(join(project.dir, "file"), "");
    for (const more of [[], ["--no-cache"], ["--no-cache", "--resume"]]) {
      const ended = await project.run("collect", "config.yml", ...more);
      expect(ended).toMatchObject({ code: 2 });
      expect(ended.stderr).toMatch(/error\[output_not_writable\]: .*file\/out.*: results cannot be written here/);
    }
  });
});

describe("what is wrong before anything is spent", () => {
  let server: ModelServer;
  beforeAll(async () => {
    server = await startModelServer({ reply: guessReply });
  });
  afterAll(() => server.close());

  const DATA: [string, string | null, RegExp][] = [
    ["a missing data file", null, /data\.jsonl.*(not there|no such|not found|does not exist)/i],
    ["an empty data set", "", /error\[empty_dataset\]: .*data\.jsonl/],
    [
      "rows of the wrong shape",
      '{"id": 1, "question": "a"}\n[1, 2]\n',
      /error\[\w+\]: data\.jsonl:2: a row is an object; this is an array/,
    ],
    ["a row that is no JSON", '{"id": 1, "question": "a"}\n{"id": 2, \n', /error\[\w+\]: data\.jsonl:2/],
    ["rows without the question", '{"id": 1, "qestion": "a"}\n', /error\[missing_question\].*did you mean "qestion"/i],
    [
      "duplicate ids",
      '{"id": 1, "question": "a"}\n{"id": 1, "question": "b"}\n',
      /error\[duplicate_id\]: data\.jsonl:2/,
    ],
  ];

  test.each(DATA)("%s is a clear error of exit code 2", async (_, data, message) => {
    await using project = await makeProject({ url: server.url });
    const file = join(project.dir, "data.jsonl");
    if (data === null) await rm(file);
    else await writeFile(file, data);
    const ended = await project.run("collect", "config.yml");
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).toMatch(/\n {2}fix: \S/);
    expect(await runDirs(project.out)).toEqual([]);
  });

  const LINES: [string, string[], RegExp][] = [
    ["a missing configuration", ["collect", "nowhere.yml"], /error\[\w+\]: nowhere\.yml/],
    ["no configuration", ["collect"], /no configuration file was given/],
    ["an unknown flag", ["collect", "config.yml", "--resum"], /unknown option '--resum'/],
    ["an unknown command", ["colect", "config.yml"], /unknown command 'colect'/],
    ["half a command", ["pairs"], /Usage: pairwright pairs/],
    ["a seed that is no number", ["collect", "config.yml", "--seed", "x"], /error\[usage\]: --seed: "x" is not/],
    ["no repetition", ["collect", "config.yml", "--reps", "0"], /--reps: "0" is not/],
    ["half a repetition", ["eval", "config.yml", "--reps", "1.5"], /--reps: "1\.5" is not a whole number/],
    ["a shard that is not there", ["collect", "config.yml", "--shard", "4/3"], /--shard: "4\/3" is not/],
    ["a negative cost", ["collect", "config.yml", "--max-cost", "-1"], /--max-cost: "-1" is not/],
    [
      "a cost limit without prices",
      ["collect", "config.yml", "--max-cost", "1"],
      /--max-cost needs prices[\s\S]*price:/,
    ],
    [
      "two flags against each other",
      ["eval", "config.yml", "--reps", "2", "--skip_workflow"],
      /--reps needs the workflow/,
    ],
    [
      "an override of nothing",
      ["collect", "config.yml", "-o", "llms.modle.temperature", "1"],
      /llms\.modle|did you mean/,
    ],
    ["an override of another type", ["collect", "config.yml", "-o", "llms.model.max_tokens", "many"], /max_tokens/],
    ["a run that is not there", ["collect", "config.yml", "--resume", "yesterday"], /error\[no_such_run\]/],
    ["a plugin that is not there", ["collect", "config.yml", "--plugin", "nothing.ts"], /nothing\.ts/],
    ["a data set that is not there", ["collect", "config.yml", "--dataset", "nothing.json"], /nothing\.json/],
    ["no input", ["run", "config.yml"], /there is no input/],
    ["a kind of component that is not there", ["info", "components", "-t", "wizard"], /--type: "wizard" is not one of/],
  ];

  test.each(LINES)("%s is a clear error of exit code 2", async (_, args, message) => {
    await using project = await makeProject({ url: server.url });
    const ended = await project.run(...args);
    expect(ended).toMatchObject({ code: 2 });
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toMatch(/\n\s+at /);
    expect(await runDirs(project.out)).toEqual([]);
  });

  test("a variable without a value is named with its line, unless nothing uses its section", async () => {
    await using project = await makeProject({
      url: server.url,
      llm: { model_name: "${NO_SUCH_MODEL}" },
      sections: { finetuning: { output_dir: "${NO_SUCH_FOLDER}" } },
    });
    const ended = await project.run("collect", "config.yml");
    expect(ended).toMatchObject({ code: 2 });
    expect(ended.stderr).toMatch(/config\.yml:\d+:\d+/);
    expect(ended.stderr).toContain("NO_SUCH_MODEL");
    expect(ended.stderr).not.toContain("NO_SUCH_FOLDER");
    expect(await project.runWith({ NO_SUCH_MODEL: "m" }, "collect", "config.yml")).toMatchObject({ code: 0 });
  });

  test("no model was called for any of this", () => expect(server.calls).toBe(12 * 9));
});

describe("no pairs", () => {
  test("is exit code 4, with the reasons counted, and the files there all the same", async () => {
    const server = await startModelServer({ reply: () => "500 is what I guess" });
    await using project = await makeProject({ url: server.url, examples: 4 });
    const ended = await project.run("collect", "config.yml", "--json");
    expect(ended).toMatchObject({ code: 4 });
    expect(jsonOf(ended)).toMatchObject({
      candidates: 36,
      turns: 12,
      pairs: 0,
      turns_without_signal: 12,
      skipped: { equal_scores: 36 },
    });
    expect(ended.stderr).toContain("equal_scores 36");
    const [run_dir = ""] = await runDirs(project.out);
    expect(await readFile(join(run_dir, "pairs.jsonl"), "utf8")).toBe("");
    await server.close();
  });
});

/** An address where nothing listens. */
async function freeUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/v1`;
}
