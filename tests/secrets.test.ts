import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import { guessReply } from "./support/guesses.ts";
import type { Ended } from "./support/program.ts";
import { filesBelow, makeProject, type Project, runDirs } from "./support/project.ts";

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
      "go on with: pairwright collect config.yml --override llms.model.api_key=[redacted]",
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

  test("leaves neither `run` nor a server that repeats it by way of the cache", async () => {
    await using project = await leaky([ENV_KEY]);
    const fine = await project.run("run", "config.yml", "--input", "x0", "--json", "--verbose");
    expect(fine).toMatchObject({ code: 0, stdout: expect.stringContaining("[redacted]") });
    const failed = await project.run("run", "config.yml", "--input", "x1", "--verbose");
    expect(failed.code).toBe(3);
    await expectNoSecret(project, fine, failed);
  });
});
