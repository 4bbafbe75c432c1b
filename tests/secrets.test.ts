// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a configuration under test holds a variable
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import { guessReply } from "./support/guesses.ts";
import type { Ended } from "./support/program.ts";
import { filesBelow, makeProject, type Project, runDirs, runLines } from "./support/project.ts";

/** Every secret of these tests has this in it, so that one search finds any of them. */
const MARK = "MARKED";
const ENV_KEY = `sk-env-${MARK}-7Q2xV9`;
const YAML_KEY = `sk-yaml-${MARK}-"quoted"`;
const HEADER = `header-${MARK}-z81`;
const PASSWORD = `pass-${MARK}/w&ord`;
const USER = `user-${MARK}-name`;

let server: ModelServer;
const authorizations = new Set<string | undefined>();

beforeAll(async () => {
  server = await startModelServer({
    // A server that repeats what it was sent, key and all.
    reply: (request, { headers }) => {
      authorizations.add(headers.authorization);
      return `${guessReply(request)} ${headers.authorization} ${headers["x-note"]}`;
    },
    faults: ({ messages }) =>
      String(messages[0]?.content).startsWith("Question e002")
        ? { kind: "status", status: 401, message: `Incorrect API key provided: ${[...authorizations]}` }
        : null,
  });
});
afterAll(() => server.close());

/** A project whose plugin gives these keys away in every manner it can, and whose model's address holds a password. */
function leaky(keys: readonly string[], llm: Record<string, unknown> = {}): Promise<Project> {
  return makeProject({
    url: server.url.replace("http://", `http://${USER}:${encodeURIComponent(PASSWORD)}@`),
    examples: 4,
    llm: { headers: { "x-note": HEADER }, ...llm },
    // Told in another form, so that the configuration does not hold what is looked for.
    workflow: { _type: "leak", secrets: [HEADER, ...keys].map((key) => Buffer.from(key).toString("base64")) },
    env: { OPENAI_API_KEY: ENV_KEY },
  });
}

/** Looks for the mark in everything that was said and written; gives back how many files that were. */
async function expectNoSecret(project: Project, ...said: Ended[]): Promise<number> {
  for (const { stdout, stderr } of said) {
    expect(stdout).not.toContain(MARK);
    expect(stderr).not.toContain(MARK);
  }
  const files = await filesBelow(project.out);
  const found: string[] = [];
  for (const file of files) {
    const bytes = await readFile(file);
    // Also as a key of one's own program would be written: base64, or with its quotes escaped.
    if (file.includes(MARK) || bytes.includes(MARK)) found.push(file);
  }
  expect(found).toEqual([]);
  return files.length;
}

describe("a key", () => {
  const KEYS: [string, string, Record<string, unknown>, string[]][] = [
    ["of the environment", ENV_KEY, {}, []],
    ["in the configuration", YAML_KEY, { api_key: YAML_KEY }, []],
    ["of a variable", `sk-variable-${MARK}`, { api_key: "${MY_KEY}" }, []],
    ["of an override", `sk-override-${MARK}`, {}, ["-o", "llms.model.api_key", `sk-override-${MARK}`]],
  ];

  test.each(KEYS)("%s is used, and stands in no file and in nothing that is said", async (_, key, llm, args) => {
    await using project = await leaky([ENV_KEY, key], llm);
    authorizations.clear();
    const env = { MY_KEY: key };
    const plain = await project.runWith(env, "collect", "config.yml", "--json", "--no-cache", ...args);
    const verbose = await project.runWith(env, "collect", "config.yml", "--no-cache", "--verbose", ...args);
    expect([...authorizations]).toEqual([`Bearer ${key}`]);
    // e001 and e002 fail, the others do not, and there are pairs to look into.
    expect([plain.code, verbose.code]).toEqual([3, 3]);
    expect(verbose.stderr).toMatch(/^debug: \[redacted\]/m);
    expect(await expectNoSecret(project, plain, verbose)).toBeGreaterThan(20);
    for (const run_dir of await runDirs(project.out)) {
      expect(await readFile(join(run_dir, "runs.jsonl"), "utf8")).toContain("[redacted]");
      expect((await readFile(join(run_dir, "pairs.jsonl"), "utf8")).length).toBeGreaterThan(100);
    }
  });

  test("stands neither in the command that an interrupted run prints nor in the error of a wrong line", async () => {
    const key = `sk-override-${MARK}`;
    await using project = await leaky([key]);
    const flags = ["-o", "llms.model.api_key", key];
    const failed = await project.run("collect", "config.yml", "--max-failures", "0", "--no-cache", ...flags);
    expect(failed.code).toBe(3);
    expect(failed.stderr).toContain(
      "go on with: pairwright collect config.yml --override 'llms.model.api_key=[redacted]'",
    );
    const typo = await project.run("collect", "config.yml", ...flags, "-o", "llms.modle.api_key", `sk-typo-${MARK}`);
    expect(typo.code).toBe(2);
    const list = await project.run(
      "validate",
      "config.yml",
      "--json",
      "-o",
      "llms.model.api_key",
      `[${MARK}, ${MARK}]`,
    );
    expect(list.code).toBe(2);
    await expectNoSecret(project, failed, typo, list);
  });

  test("that is a dummy and a word of the data changes no record, and is redacted where it is the key", async () => {
    const chatty = await startModelServer({
      reply: (request) => `${guessReply(request)} Install ollama, for example.`,
    });
    const [short, shorter] = ["example", "ollama"];
    await using project = await makeProject({ url: chatty.url, examples: 3, llm: { api_key: short } });
    const more = ["--max-failures", "0", "-o", "llms.model.headers.x-key", shorter, "--no-cache"];
    const ended = await project.run("collect", "config.yml", ...more);
    expect(ended).toMatchObject({ code: 0 });
    const [dir = ""] = await runDirs(project.out);
    const runs = await runLines(dir);
    expect(runs.map(({ example_id }) => example_id).sort()).toEqual(["e000", "e001", "e002"]);
    for (const run of runs) expect(run.output).toMatchObject({ last: expect.stringContaining("ollama, for example.") });
    for (const name of ["pairs.jsonl", "dataset/training_file.jsonl", "runs.jsonl"]) {
      expect(await readFile(join(dir, name), "utf8")).not.toContain("[redacted]");
    }
    for (const name of ["config_effective.yml", "config_original.yml"]) {
      expect(await readFile(join(dir, name), "utf8")).toMatch(/api_key: "\[redacted\]"/);
    }
    expect(await readFile(join(dir, "config_effective.yml"), "utf8")).not.toMatch(/ollama|\bexample\b/);
    // The run's own files can be read again.
    expect(await project.run("collect", "config.yml", "--resume", dir.split("/").at(-1) ?? "", ...more)).toMatchObject({
      code: 0,
    });
    await chatty.close();
  });

  test("of an endpoint's address stands in no file and in no command to go on with, however short", async () => {
    const password = "pw7";
    const long = `long-${MARK}-${PASSWORD.length}`;
    const echo = createServer((request, response) => {
      response.writeHead(request.method === "POST" ? 500 : 404).end(`you are ${request.headers.authorization} ${long}`);
    });
    await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
    const address = `127.0.0.1:${(echo.address() as AddressInfo).port}`;
    await using project = await makeProject({ url: server.url, examples: 2 });
    const said: Ended[] = [];
    for (const secret of [password, long]) {
      const flags = ["--endpoint", `http://${USER}:${secret}@${address}`, "--max-failures", "0"];
      const ended = await project.run("collect", "config.yml", ...flags, "--json");
      expect(ended).toMatchObject({ code: 3 });
      expect(ended.stdout + ended.stderr).not.toContain(`:${secret}@`);
      expect(ended.stderr).toContain(`--endpoint 'http://[redacted]@${address}' --max-failures 0`);
      if (secret === long) said.push(ended);
    }
    // The first server did not know the long one, so that its words may hold it.
    for (const dir of (await runDirs(project.out)).slice(1)) {
      for (const file of await filesBelow(dir)) expect(await readFile(file, "utf8"), file).not.toContain(MARK);
    }
    expect(said[0]?.stdout).not.toContain(MARK);
    echo.close();
    echo.closeAllConnections();
  });

  test("leaves neither `run` nor a server that repeats it by way of the cache", async () => {
    await using project = await leaky([ENV_KEY]);
    // The cache that it reads and adds to.
    await mkdir(join(project.out, "cache"), { recursive: true });
    const fine = await project.run("run", "config.yml", "--input", "x0", "--json", "--verbose");
    expect(fine).toMatchObject({ code: 0, stdout: expect.stringContaining("[redacted]") });
    const failed = await project.run("run", "config.yml", "--input", "x1", "--verbose");
    expect(failed.code).toBe(3);
    expect(await expectNoSecret(project, fine, failed)).toBeGreaterThan(0);
  });
});
