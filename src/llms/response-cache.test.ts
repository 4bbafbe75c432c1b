import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sha256 } from "../lib/hash.ts";
import { type ModelServer, startModelServer } from "../testing/model-server.ts";
import type { Fault } from "../testing/model-server-fault.ts";
import { modelFor } from "./__fixtures__/model-for.ts";
import { openResponseCache } from "./response-cache.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pairwright-cache-"));
});
afterEach(() => rm(folder, { recursive: true }));

const KEY = sha256("a question");
const QUESTION = [{ role: "user" as const, content: "What is two and two?" }];

test("what was put is there at once, after writing, and at the next opening", async () => {
  const json = JSON.stringify({ text: "grün\n🙂", list: [1, 2] });
  const first = await openResponseCache(folder);

  first.put(KEY, json);
  expect(first.get(KEY)).toBe(json);
  await first.close();
  const second = await openResponseCache(folder);

  expect(second.size).toBe(1);
  expect(second.get(KEY)).toBe(json);
  expect(second.get(sha256("another question"))).toBeUndefined();
  await second.close();
});

test("a cache that only reads leaves no file", async () => {
  const cache = await openResponseCache(join(folder, "new"));
  cache.get(KEY);
  await cache.close();

  expect(await readdir(join(folder, "new"))).toEqual([]);
});

test("JSON over several lines is kept on one", async () => {
  const first = await openResponseCache(folder);
  first.put(KEY, '{\r\n  "a": "b\\n"\n}\n');
  await first.close();
  const second = await openResponseCache(folder);

  expect(JSON.parse(second.get(KEY) ?? "")).toEqual({ a: "b\n" });
  await second.close();
});

test("many entries, of all lengths and over the read buffer's edges, are found again", async () => {
  const first = await openResponseCache(folder);
  const value = (index: number) => JSON.stringify("é".repeat(index % 7 === 0 ? 20_000 : index % 300));
  for (let index = 0; index < 3_000; index += 1) first.put(sha256(`${index}`), value(index));
  await first.close();
  const second = await openResponseCache(folder);

  expect(second.size).toBe(3_000);
  let equal = 0;
  for (let index = 0; index < 3_000; index += 1) equal += second.get(sha256(`${index}`)) === value(index) ? 1 : 0;
  expect(equal).toBe(3_000);
  await second.close();
});

test("an entry longer than the read buffer does not hide the next one", async () => {
  const first = await openResponseCache(folder);
  const long = JSON.stringify("x".repeat(9_000_000));
  first.put(sha256("long"), long);
  first.put(KEY, "1");
  await first.close();
  const second = await openResponseCache(folder);

  expect(second.get(KEY)).toBe("1");
  expect(second.get(sha256("long"))?.length).toBe(long.length);
  await second.close();
});

test("two processes that write at once have a segment each, and the next one reads both", async () => {
  const program = `
    import { createJiti } from ${JSON.stringify(import.meta.resolve("jiti"))};
    const jiti = createJiti(${JSON.stringify(import.meta.url)});
    const { openResponseCache } = await jiti.import("./response-cache.ts");
    const { sha256 } = await jiti.import("../lib/hash.ts");
    const [folder, name] = process.argv.slice(-2);
    const cache = await openResponseCache(folder);
    for (let index = 0; index < 500; index += 1) cache.put(sha256(name + index), JSON.stringify(name + index));
    await cache.close();`;
  const script = join(folder, "put.mjs");
  await writeFile(script, program);
  const put = (name: string) => promisify(execFile)(process.execPath, [script, folder, name]);

  await Promise.all([put("one"), put("two")]);

  expect((await readdir(folder)).filter((name) => name.endsWith(".jsonl"))).toHaveLength(2);
  const cache = await openResponseCache(folder);
  expect(cache.size).toBe(1_000);
  expect(cache.get(sha256("one499"))).toBe('"one499"');
  expect(cache.get(sha256("two0"))).toBe('"two0"');
  await cache.close();
});

test("torn and foreign lines are passed over, and the whole ones around them are read", async () => {
  const other = sha256("another question");
  await writeFile(
    join(folder, "responses-a.jsonl"),
    `{"key":"${KEY}","value":1}\nnot ours\n{"key":"short","value":2}\n{"key":"${other}","value":3`,
  );
  await writeFile(join(folder, "notes.jsonl"), `{"key":"${other}","value":4}\n`);

  const cache = await openResponseCache(folder);

  expect(cache.size).toBe(1);
  expect(cache.get(KEY)).toBe("1");
  expect(cache.get(other)).toBeUndefined();
  await cache.close();
});

test("an entry whose key agrees in 64 bits only is not taken for the other", async () => {
  const alike = KEY.slice(0, 16) + "0".repeat(48);
  const cache = await openResponseCache(folder);
  cache.put(KEY, "1");

  expect(cache.get(alike)).toBeUndefined();
  await cache.close();
});

test("when writing fails, that is said once and the run goes on", async () => {
  const warnings: string[] = [];
  const log = { debug: () => undefined, info: () => undefined, warn: (line: string) => void warnings.push(line) };
  const gone = join(folder, "gone");
  const cache = await openResponseCache(gone, log);
  await rm(gone, { recursive: true });
  // A file in the folder's place: nothing can be made in it.
  await writeFile(gone, "");

  cache.put(KEY, "1");
  await cache.close();
  cache.put(sha256("later"), "2");

  expect(warnings).toEqual([expect.stringMatching(/^the response cache keeps nothing more: ENOTDIR/)]);
  expect(cache.get(sha256("later"))).toBeUndefined();
});

/** A model with a cache in the test's folder, and its server's counter. */
async function cachedModel(options: Record<string, unknown> = {}, faults: (Fault | null)[] = []) {
  const server = await startModelServer({ reply: ({ seed = 0 }, { call }) => `seed ${seed}, call ${call}`, faults });
  const cache = await openResponseCache(folder);
  const settings = { base_url: server.url, max_retries: 0, price: { prompt: 1, completion: 1 }, ...options };
  const model = modelFor(settings, { cache });
  const close = async () => {
    await model.close?.();
    await cache.close();
    await server.close();
  };
  return { model, server, cache, close };
}

const calls = (server: ModelServer) => server.calls;

test("the same request is answered by the cache: the same reply, tokens without cost, and marked", async () => {
  const { model, server, close } = await cachedModel();

  const first = await model.chat(QUESTION, { seed: 1 });
  const second = await model.chat(QUESTION, { seed: 1 });

  expect(calls(server)).toBe(1);
  expect(first.cached).toBe(false);
  expect(first.usage.cost).toBeGreaterThan(0);
  const { cost: _, ...tokens } = first.usage;
  expect(second).toEqual({ ...first, cached: true, usage: { ...tokens, cached_calls: 1 } });
  await close();
});

test.each([
  ["the seed", { seed: 2 }],
  ["the sample index", { sample_index: 1 }],
  ["the temperature", { temperature: 0.5 }],
  ["n", { n: 2 }],
  ["the tools", { tools: [{ type: "function" as const, function: { name: "add" } }] }],
  ["a field of extra_body", { extra_body: { top_k: 1 } }],
])("another value of %s is another request", async (_, options) => {
  const { model, server, close } = await cachedModel();

  await model.chat(QUESTION, { seed: 1, sample_index: 0 });
  await model.chat(QUESTION, { seed: 1, sample_index: 0, ...options });
  await model.chat(QUESTION, { seed: 1, sample_index: 0, ...options });

  expect(calls(server)).toBe(2);
  await close();
});

test("another message, another model and another endpoint is another request", async () => {
  const { model, server, cache, close } = await cachedModel();
  const other = modelFor({ base_url: server.url, model_name: "other" }, { cache });
  const elsewhere = modelFor({ base_url: server.url.replace("/v1", "/other/v1") }, { cache });

  await model.chat(QUESTION);
  await model.chat([...QUESTION, { role: "assistant", content: "four" }]);
  await other.chat(QUESTION);
  await elsewhere.chat(QUESTION);

  expect(calls(server)).toBe(4);
  await other.close?.();
  await elsewhere.close?.();
  await close();
});

test("the order of the members of a given object does not matter", async () => {
  const { model, server, close } = await cachedModel();

  await model.chat(QUESTION, { extra_body: { a: 1, b: { c: 1, d: 2 } } });
  const { cached } = await model.chat(QUESTION, { extra_body: { b: { d: 2, c: 1 }, a: 1 } });

  expect(cached).toBe(true);
  expect(calls(server)).toBe(1);
  await close();
});

test("no error is kept: each of these is asked again, and only its reply is kept", async () => {
  const faults: Fault[] = [
    { kind: "status", status: 500 },
    { kind: "broken_json" },
    { kind: "empty_choices" },
    { kind: "cut_body" },
  ];
  const { model, server, cache, close } = await cachedModel({}, faults);

  for (const _ of faults) await expect(model.chat(QUESTION)).rejects.toMatchObject({ code: /^llm_/ });
  expect(cache.size).toBe(0);
  await model.chat(QUESTION);
  await model.chat(QUESTION);

  expect(calls(server)).toBe(5);
  expect(cache.size).toBe(1);
  await close();
});

test("a stored reply that was damaged is a miss", async () => {
  const { model, server, close } = await cachedModel();
  await model.chat(QUESTION);
  await close();
  const [name = ""] = await readdir(folder);
  const text = await readFile(join(folder, name), "utf8");
  await writeFile(join(folder, name), text.replace('"choices"', '"chopped"'));

  const again = await cachedModel({ base_url: server.url });
  await expect(again.model.chat(QUESTION)).rejects.toMatchObject({ code: "llm_unreachable" });
  await again.close();
});

test("neither the key nor the address's password is in the cache's files", async () => {
  const { server, close } = await cachedModel();
  const cache = await openResponseCache(folder);
  const base_url = server.url.replace("//", "//user:MARKED-password@");
  const model = modelFor(
    { base_url, headers: { "X-Key": "MARKED-header" } },
    { cache, env: { OPENAI_API_KEY: "MARKED-key" } },
  );
  await model.chat(QUESTION);
  await model.close?.();
  await cache.close();
  await close();

  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), "utf8")));
  expect(texts).toHaveLength(1);
  expect(texts[0]).not.toContain("MARKED");
});
