import { appendFile, cp, readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seededRandom } from "../src/lib/random.ts";
import { RunManifest } from "../src/records/manifest.ts";
import { runKey } from "../src/records/run.ts";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import { guessReply } from "./support/guesses.ts";
import { jsonOf, type Started } from "./support/program.ts";
import { exampleIds, makeProject, PLUGIN, type Project, resultBytes, runDirs, runLines } from "./support/project.ts";

const EXAMPLES = 100;
const KILLS = 20;

/** A model server that can tell when a process has asked it so many times. */
interface Watched {
  server: ModelServer;
  /** Runs `then` at the n-th call from now. */
  atCall(n: number, then: () => void): void;
}

async function startWatched(latency_ms: number): Promise<Watched> {
  let left = Number.POSITIVE_INFINITY;
  let then: () => void = () => undefined;
  const server = await startModelServer({
    latency_ms,
    reply: guessReply,
    faults: () => {
      left -= 1;
      if (left === 0) then();
      return null;
    },
  });
  return {
    server,
    atCall(n, what) {
      left = n;
      then = what;
    },
  };
}

let watched: Watched;
let undisturbed: Awaited<ReturnType<typeof resultBytes>>;

beforeAll(async () => {
  watched = await startWatched(10);
  const server = await startModelServer({ reply: guessReply });
  await using project = await makeProject({ url: server.url, examples: EXAMPLES });
  const ended = await project.run("collect", "config.yml", "--no-cache");
  expect(ended).toMatchObject({ code: 0 });
  const [run_dir = ""] = await runDirs(project.out);
  undisturbed = await resultBytes(run_dir);
  expect(undisturbed["pairs.jsonl"].split("\n").length).toBeGreaterThan(EXAMPLES * 3);
  await server.close();
});

afterAll(() => watched.server.close());

function kill({ child }: Started): void {
  child.kill("SIGKILL");
}

/** The only run's folder, once it is clear that nothing is missing, doubled or different in it. */
async function expectUndisturbed(project: Project): Promise<string> {
  const [run_dir = "", ...others] = await runDirs(project.out);
  expect(others).toEqual([]);
  const runs = await runLines(run_dir);
  // No example that ended well is ever run again: each key stands once, not only once among the last lines.
  expect(runs.map(runKey).sort()).toEqual(exampleIds(EXAMPLES).map((id) => `0/0/${id}`));
  expect(runs.filter(({ status }) => status !== "completed")).toEqual([]);
  expect(await resultBytes(run_dir)).toEqual(undisturbed);
  const manifest = RunManifest.parse(JSON.parse(await readFile(join(run_dir, "manifest.json"), "utf8")));
  expect(manifest).toMatchObject({ status: "completed", got: { completed: EXAMPLES, failed: 0 } });
  return run_dir;
}

describe("a collect that is killed without warning", () => {
  test("at 20 points gives, resumed each time, the very data set of an undisturbed one", {
    timeout: 120_000,
  }, async () => {
    await using project = await makeProject({ url: watched.server.url, examples: EXAMPLES });
    const random = seededRandom(20);
    for (let count = 0; count < KILLS; count += 1) {
      const started = project.start("collect", "config.yml", "--no-cache", "--resume");
      // Every fourth kill is by time, so that it also meets the start, when no model is called yet.
      if (count % 4 === 3) setTimeout(() => kill(started), 60 + random() * 400);
      else watched.atCall(1 + Math.floor(random() * 70), () => kill(started));
      expect(await started.ended).toMatchObject({ code: null, signal: "SIGKILL" });
    }
    watched.atCall(Number.POSITIVE_INFINITY, () => undefined);
    const ended = await project.run("collect", "config.yml", "--no-cache", "--resume", "--json");
    expect(ended).toMatchObject({ code: 0 });
    expect(jsonOf(ended)).toMatchObject({ examples: EXAMPLES, completed: EXAMPLES, failed: 0 });
    await expectUndisturbed(project);
  });

  test("with the response cache on, and more examples at once, too", async () => {
    await using project = await makeProject({
      url: watched.server.url,
      examples: EXAMPLES,
      general: { max_concurrency: 16 },
    });
    for (const calls of [150, 3, 200, 77]) {
      const started = project.start("collect", "config.yml", "--resume");
      watched.atCall(calls, () => kill(started));
      expect(await started.ended).toMatchObject({ signal: "SIGKILL" });
    }
    watched.atCall(Number.POSITIVE_INFINITY, () => undefined);
    expect(await project.run("collect", "config.yml", "--resume")).toMatchObject({ code: 0 });
    await expectUndisturbed(project);
  });

  test("while it scores and while it builds pairs goes on where it was", async () => {
    const server = await startModelServer({ reply: guessReply });
    await using project = await makeProject({ url: server.url, examples: EXAMPLES });
    for (const point of ["score:1", "score:40", "pair:1", "pair:150"]) {
      const ended = await project.runWith({ KILL_AT: point }, "collect", "config.yml", "--no-cache", "--resume");
      expect(ended).toMatchObject({ signal: "SIGKILL" });
    }
    const calls = server.calls;
    const ended = await project.run("collect", "config.yml", "--no-cache", "--resume", "--json");
    expect(ended).toMatchObject({ code: 0 });
    expect(jsonOf<{ scores: Record<string, unknown> }>(ended).scores.quality).toMatchObject({ n: EXAMPLES });
    const run_dir = await expectUndisturbed(project);
    // Each run once among the scores, and no model asked again for what had been played.
    const scores = (await readFile(join(run_dir, "scores.jsonl"), "utf8")).trimEnd().split("\n");
    expect(new Set(scores.map((line) => (JSON.parse(line) as { example_id: string }).example_id)).size).toBe(EXAMPLES);
    expect(scores.length).toBe(EXAMPLES);
    expect(server.calls).toBe(calls);
    await server.close();
  });
});

describe("a half-written last line of runs.jsonl", () => {
  let own: Watched;
  let killed: Project;
  beforeAll(async () => {
    own = await startWatched(6);
    killed = await makeProject({ url: own.server.url, examples: EXAMPLES });
    const started = killed.start("collect", "config.yml", "--no-cache");
    own.atCall(200, () => kill(started));
    expect(await started.ended).toMatchObject({ signal: "SIGKILL" });
  });
  afterAll(async () => {
    await killed[Symbol.asyncDispose]();
    await own.server.close();
  });

  test.each([
    ["that garbage makes", (path: string) => appendFile(path, '{"example_id":"e0')],
    ["that is bytes of no text", (path: string) => appendFile(path, Buffer.from([0xff, 0x00, 0xc3]))],
    ["that was a whole one", async (path: string) => truncate(path, (await stat(path)).size - 500)],
    ["that lacks nothing but its newline", async (path: string) => truncate(path, (await stat(path)).size - 1)],
  ])("%s is cut off, said, and its example run again", async (_, spoil) => {
    await using project = await makeProject({ url: own.server.url, examples: EXAMPLES });
    await cp(killed.out, project.out, { recursive: true, verbatimSymlinks: true });
    const [run_dir = ""] = await runDirs(project.out);
    expect((await runLines(run_dir)).length).toBeGreaterThan(2);
    await spoil(join(run_dir, "runs.jsonl"));

    const ended = await project.run("collect", "config.yml", "--no-cache", "--resume");
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stderr).toMatch(/runs\.jsonl: cut off a half-written last line of \d+ bytes; that example runs again/);
    await expectUndisturbed(project);
    const manifest = RunManifest.parse(JSON.parse(await readFile(join(run_dir, "manifest.json"), "utf8")));
    expect(manifest.notes).toContainEqual(expect.stringMatching(/^runs\.jsonl: cut off a half-written last line/));
  });
});

describe("the same bytes come out", () => {
  test.each([
    ["one example at a time and a quick server", 1, 0],
    ["sixteen at a time and a server that is now quick, now slow", 16, 25],
  ])("with %s", async (_, max_concurrency, slowest) => {
    const random = seededRandom(1);
    const options = {
      reply: guessReply,
      latency_ms: 0,
      faults() {
        options.latency_ms = Math.floor(random() * slowest);
        return null;
      },
    };
    const server = await startModelServer(options);
    await using project = await makeProject({ url: server.url, examples: EXAMPLES, general: { max_concurrency } });
    expect(await project.run("collect", "config.yml", "--no-cache")).toMatchObject({ code: 0 });
    await expectUndisturbed(project);
    await server.close();
  });

  test("from three shards merged as from one run", async () => {
    const server = await startModelServer({ reply: guessReply });
    await using project = await makeProject({ url: server.url, examples: EXAMPLES });
    for (const shard of ["3/3", "1/3", "2/3"]) {
      const ended = await project.run("collect", "config.yml", "--no-cache", "--shard", shard);
      expect(ended).toMatchObject({ code: 0 });
    }
    const shards = await runDirs(project.out);
    expect(shards.length).toBe(3);
    const ended = await project.run("pairs", "merge", ...shards, "--output", "merged", "--plugin", PLUGIN, "--json");
    expect(ended).toMatchObject({ code: 0 });
    expect(await resultBytes(join(project.dir, "merged"))).toEqual(undisturbed);
    expect((await runLines(join(project.dir, "merged"))).map(({ example_id }) => example_id)).toEqual(
      exampleIds(EXAMPLES),
    );
    await server.close();
  });
});
