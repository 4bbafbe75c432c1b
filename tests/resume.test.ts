import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunManifest } from "../src/records/manifest.ts";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import type { Fault } from "../src/testing/model-server-fault.ts";
import { guessReply } from "./support/guesses.ts";
import { type Ended, jsonOf, MAIN } from "./support/program.ts";
import { exampleIds, makeProject, type Project, resultBytes, runDirs, runLines } from "./support/project.ts";

const EXAMPLES = 24;

/** A server whose latency, and what happens at its next call, can be changed while it runs. */
function pliable() {
  const options = {
    reply: guessReply,
    latency_ms: 0,
    /** What is to happen at a call; true leaves it without an answer. */
    onCall: (_call: number): boolean => false,
    faults: (_: unknown, call: number): Fault | null => (options.onCall(call) ? { kind: "hang" } : null),
  };
  return options;
}

const options = pliable();
let server: ModelServer;
let undisturbed: Awaited<ReturnType<typeof resultBytes>>;

beforeAll(async () => {
  server = await startModelServer(options);
  await using project = await makeProject({ url: server.url, examples: EXAMPLES });
  expect(await project.run("collect", "config.yml", "--no-cache")).toMatchObject({ code: 0 });
  undisturbed = await resultBytes((await runDirs(project.out))[0] ?? "");
});
afterAll(() => server.close());

interface Disturbance {
  at: number;
  what: (pid: number) => void;
  latency_ms?: number;
  /** Nothing is answered from that call on. */
  hang?: boolean;
  args?: string[];
}

/** Starts a collect and does something to it at its n-th call; the latency is in effect until it ends. */
async function collectDisturbed(
  project: Project,
  { at, what, latency_ms = 10, hang = false, args = [] }: Disturbance,
): Promise<Ended> {
  const started = project.start("collect", "config.yml", "--no-cache", ...args);
  const from = server.calls;
  options.latency_ms = latency_ms;
  options.onCall = (call) => {
    if (call - from === at) what(started.child.pid ?? 0);
    return hang && call - from >= at;
  };
  const ended = await started.ended;
  options.latency_ms = 0;
  options.onCall = () => false;
  return ended;
}

/** The command that an interrupted run prints, run by a shell as a user would paste it. */
function paste(stderr: string, cwd: string): Promise<Ended> {
  const command = /fix: go on with: (pairwright .*)$/m.exec(stderr)?.[1];
  if (command === undefined) throw new Error(`no command in: ${stderr}`);
  const { PATH = "" } = process.env;
  const script = `pairwright() { "${process.execPath}" "${MAIN}" "$@"; }; ${command}`;
  const child = spawn("sh", ["-c", script], { cwd, env: { PATH } });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  child.stdout.resume();
  return new Promise((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal, stdout: "", stderr: said }));
  });
}

async function manifestOf(run_dir: string): Promise<RunManifest> {
  return RunManifest.parse(JSON.parse(await readFile(join(run_dir, "manifest.json"), "utf8")));
}

describe("Ctrl-C", () => {
  test("once lets what runs come to its end, and prints the command that completes the run", async () => {
    await using project = await makeProject({ url: server.url, examples: EXAMPLES });
    const args = ["--max-failures", "7", "-o", "llms.model.stop", 'it\'s over; "truly" $HOME', "--seed", "0"];
    const ended = await collectDisturbed(project, { at: 40, what: (pid) => process.kill(pid, "SIGINT"), args });
    expect(ended).toMatchObject({ code: 130, signal: null });
    expect(ended.stderr).toMatch(/stopping: letting what runs come to its end/);
    expect(ended.stderr).toMatch(/error\[interrupted\]: .*: interrupted; \d+ of 24 examples are safe/);
    expect(ended.stderr).toMatch(/go on with: pairwright collect config\.yml .*--no-cache.* --resume \S+\n/);
    expect(ended.stderr).not.toContain("--reps");
    const [run_dir = ""] = await runDirs(project.out);
    const before = await runLines(run_dir);
    // Four were running at the fortieth call; each came to its end.
    expect(before.length).toBeGreaterThanOrEqual(4);
    expect(before.length).toBeLessThan(EXAMPLES);
    expect(await manifestOf(run_dir)).toMatchObject({
      status: "interrupted",
      got: { completed: before.length, failed: 0 },
    });

    const calls = server.calls;
    expect(await paste(ended.stderr, project.dir)).toMatchObject({ code: 0 });
    expect(server.calls - calls).toBe((EXAMPLES - before.length) * 9);
    expect(await runDirs(project.out)).toEqual([run_dir]);
    expect(await resultBytes(run_dir)).toEqual(undisturbed);
  });

  test("twice stops at once, and leaves a run that can go on", async () => {
    await using project = await makeProject({ url: server.url, examples: EXAMPLES });
    let at = 0;
    const ended = await collectDisturbed(project, {
      at: 0,
      hang: true,
      what(pid) {
        process.kill(pid, "SIGINT");
        setTimeout(() => {
          at = Date.now();
          process.kill(pid, "SIGINT");
        }, 200);
      },
    });
    expect(ended).toMatchObject({ code: 130, signal: null });
    expect(Date.now() - at).toBeLessThan(5_000);
    const [run_dir = ""] = await runDirs(project.out);
    expect(await runLines(run_dir)).toEqual([]);
    expect(await paste(ended.stderr, project.dir)).toMatchObject({ code: 0 });
    expect(await resultBytes(run_dir)).toEqual(undisturbed);
  });

  test.each([
    ["once", 1],
    ["twice", 2],
  ])("%s while it scores keeps the scores that were made, and says how to go on", async (_, times) => {
    await using project = await makeProject({
      url: server.url,
      examples: EXAMPLES,
      evaluators: { quality: { _type: "quality", delay_ms: 100 } },
    });
    const started = project.start("collect", "config.yml", "--no-cache");
    const scores = async () => {
      const [run_dir = ""] = await runDirs(project.out);
      return (await readFile(join(run_dir, "scores.jsonl"), "utf8")).split("\n").slice(0, -1);
    };
    await until(async () => (await scores()).length > 2);
    started.child.kill("SIGINT");
    await started.says("stopping");
    if (times === 2) started.child.kill("SIGINT");
    const ended = await started.ended;
    expect(ended).toMatchObject({ code: 130 });
    const [run_dir = ""] = await runDirs(project.out);
    expect(await manifestOf(run_dir)).toMatchObject({ status: "interrupted", got: { completed: EXAMPLES } });
    const before = await scores();
    expect(before.length).toBeLessThan(EXAMPLES);

    const calls = server.calls;
    expect(await paste(ended.stderr, project.dir)).toMatchObject({ code: 0 });
    expect(server.calls).toBe(calls);
    expect(await resultBytes(run_dir)).toEqual(undisturbed);
    expect((await scores()).slice(0, before.length)).toEqual(before);
    expect(await scores()).toHaveLength(EXAMPLES);
  });
});

describe("--resume", () => {
  /** A project with a run that was killed half-way. */
  async function killed(more: Partial<Parameters<typeof makeProject>[0]> = {}): Promise<Project> {
    const project = await makeProject({ url: server.url, examples: EXAMPLES, ...more });
    const ended = await collectDisturbed(project, { at: 60, what: (pid) => process.kill(pid, "SIGKILL") });
    expect(ended).toMatchObject({ signal: "SIGKILL" });
    return project;
  }

  test("is refused, naming each change, when the run was begun with something else", async () => {
    await using project = await killed({ plugin_copy: "copied.ts" });
    const [run_dir = ""] = await runDirs(project.out);
    const before = await readFile(join(run_dir, "runs.jsonl"));
    const calls = server.calls;
    const changes: [string[], RegExp][] = [
      [["-o", "workflow.turns", "2"], /changed: workflow\.turns\n/],
      [["-o", "llms.model.temperature", "0.5", "-o", "split.validation", "0.5"], /changed: .*llms\.model\.temperature/],
      [["--seed", "1"], /changed: --seed\n/],
      [["--reps", "2", "--policy-only"], /changed: --reps, --policy-only\n/],
      [["--shard", "1/2"], /changed: --shard\n/],
    ];
    for (const [args, message] of changes) {
      const ended = await project.run("collect", "config.yml", "--resume", ...args);
      expect(ended).toMatchObject({ code: 2 });
      expect(ended.stderr).toMatch(/error\[changed_since\]/);
      expect(ended.stderr).toMatch(message);
    }
    await appendFile(join(project.dir, "data.jsonl"), '{"id": "more", "question": "more"}\n');
    expect((await project.run("collect", "config.yml", "--resume")).stderr).toMatch(/changed: dataset\n/);
    await appendFile(join(project.dir, "copied.ts"), "// changed\n");
    expect((await project.run("collect", "config.yml", "--resume")).stderr).toMatch(
      /changed: dataset, plugin .*copied\.ts\n/,
    );

    expect(await runDirs(project.out)).toEqual([run_dir]);
    expect(await readFile(join(run_dir, "runs.jsonl"))).toEqual(before);
    expect(server.calls).toBe(calls);
  });

  test("allows what decides no result to change", async () => {
    await using project = await killed();
    const ended = await project.run(
      "collect",
      "config.yml",
      "--no-cache",
      "--resume",
      "-o",
      "eval.general.max_concurrency",
      "9",
    );
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stderr).toMatch(/going on with run \S+\n\d+ of 24 examples are done already/);
    expect(await resultBytes((await runDirs(project.out))[0] ?? "")).toEqual(undisturbed);
  });

  test("starts a run, and says so, where there is none to go on with", async () => {
    await using project = await makeProject({ url: server.url, examples: 2 });
    for (const runs of [1, 2]) {
      const ended = await project.run("collect", "--resume", "config.yml");
      expect(ended).toMatchObject({ code: 0 });
      expect(ended.stderr).toContain("out holds no unfinished run: starting a new one");
      expect(await runDirs(project.out)).toHaveLength(runs);
    }
  });

  test("with the name of a completed run plays nothing again", async () => {
    await using project = await makeProject({ url: server.url, examples: 3 });
    expect(await project.run("collect", "config.yml", "--no-cache")).toMatchObject({ code: 0 });
    const [run_dir = ""] = await runDirs(project.out);
    const before = await resultBytes(run_dir);
    const calls = server.calls;
    const ended = await project.run("collect", "config.yml", "--resume", run_dir.split("/").at(-1) ?? "", "--json");
    expect(ended).toMatchObject({ code: 0 });
    expect(jsonOf(ended)).toMatchObject({ completed: 3, failed: 0 });
    expect(server.calls).toBe(calls);
    expect(await resultBytes(run_dir)).toEqual(before);
  });

  test("of a run that another process is writing is refused, and the other one goes on", async () => {
    await using project = await makeProject({ url: server.url, examples: EXAMPLES });
    let second: Promise<Ended> | undefined;
    const first = await collectDisturbed(project, {
      at: 10,
      latency_ms: 100,
      what: () => {
        second = project.run("collect", "config.yml", "--no-cache", "--resume");
      },
    });
    expect(await second).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/error\[locked\]: .*process \d+ is writing here/),
    });
    expect(first).toMatchObject({ code: 0 });
    const [run_dir = "", ...others] = await runDirs(project.out);
    expect(others).toEqual([]);
    expect((await runLines(run_dir)).map(({ example_id }) => example_id).sort()).toEqual(exampleIds(EXAMPLES));
    expect(await resultBytes(run_dir)).toEqual(undisturbed);
  });

  test("by several processes at once lets one of them have the killed run", async () => {
    await using project = await killed();
    options.latency_ms = 60;
    const all = await Promise.all(
      Array.from({ length: 4 }, () => project.runWith({}, "collect", "config.yml", "--no-cache", "--resume")),
    );
    options.latency_ms = 0;
    expect(all.map(({ code }) => code).sort()).toEqual([0, 2, 2, 2]);
    const [run_dir = "", ...others] = await runDirs(project.out);
    expect(others).toEqual([]);
    expect(await resultBytes(run_dir)).toEqual(undisturbed);
  });
});

describe("the lock of a run folder", () => {
  test("that a killed process left goes to one of many that want it at the same moment", async () => {
    await using project = await makeProject({ url: server.url });
    const lockModule = new URL("../dist/lib/lock.js", import.meta.url).href;
    // Each tries once when it is told to, says whether it has the lock, and keeps it until its input ends.
    const script = `
      import { createInterface } from "node:readline";
      import { takeLock } from ${JSON.stringify(lockModule)};
      const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
      console.log("ready");
      await lines.next();
      const lock = await takeLock(process.argv[1]).catch((error) => error.code);
      console.log(typeof lock === "string" ? lock : "taken");
      await lines.next();
      if (typeof lock !== "string") await lock.release();`;
    for (let round = 0; round < 3; round += 1) {
      const path = join(project.dir, `${round}.lock`);
      await writeFile(path, "4194304999");
      const all = Array.from({ length: 6 }, () => converse(["--input-type=module", "-e", script, path]));
      expect(new Set(await Promise.all(all.map(({ reply }) => reply())))).toEqual(new Set(["ready"]));
      for (const { say } of all) say("now");
      const replies = await Promise.all(all.map(({ reply }) => reply()));
      expect(replies.sort()).toEqual(["locked", "locked", "locked", "locked", "locked", "taken"]);
      await Promise.all(all.map(({ end }) => end()));
      await expect(readFile(path)).rejects.toThrow("ENOENT");
    }
    expect((await readdir(project.dir)).filter((name) => name.includes(".lock"))).toEqual([]);
  });
});

/** A Node process that is talked to in lines. */
function converse(args: readonly string[]) {
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const closed = once(child, "close");
  return {
    reply: async () => (await lines.next()).value as string,
    say: (line: string) => void child.stdin.write(`${line}\n`),
    end: () => {
      child.stdin.end();
      return closed;
    },
  };
}

describe("--max-cost", () => {
  test("stops when it is reached; a higher one goes on", async () => {
    const price = { prompt: 1000, completion: 1000 };
    await using project = await makeProject({ url: server.url, examples: EXAMPLES, llm: { price } });
    const ended = await project.run("collect", "config.yml", "--no-cache", "--max-cost", "2");
    expect(ended).toMatchObject({ code: 130 });
    expect(ended.stderr).toMatch(/the cost reached --max-cost; \d+ of 24 examples are safe/);
    const [run_dir = ""] = await runDirs(project.out);
    const { usage } = await manifestOf(run_dir);
    expect(usage?.cost).toBeGreaterThanOrEqual(2);
    expect(usage?.cost).toBeLessThan(5);
    const again = await project.run("collect", "config.yml", "--no-cache", "--resume", "--json");
    expect(again).toMatchObject({ code: 0 });
    expect(await resultBytes(run_dir)).toEqual(undisturbed);
  });
});

async function until(look: () => Promise<boolean>): Promise<void> {
  for (;;) {
    if (await look().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
