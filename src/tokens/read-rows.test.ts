import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Method } from "./dataset-rows.ts";
import { readRows } from "./read-rows.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "pairwright-rows-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let made = 0;
async function file(text: string): Promise<string> {
  made += 1;
  const path = join(root, `${made}.jsonl`);
  await writeFile(path, text);
  return path;
}
async function read<M extends Method>(path: string, method: M) {
  const rows = [];
  for await (const row of readRows(path, method)) rows.push(row);
  return rows;
}
const sft = (prompt: unknown, completion: unknown = "c") => JSON.stringify({ prompt, completion });

test("a byte order mark, carriage returns, blank lines and a last line without an end are no trouble", async () => {
  const path = await file(`\uFEFF${sft("a")}\r\n\r\n  \n${sft("b")}\r\n${sft("c")}`);
  expect(await read(path, "sft")).toEqual([
    { line: 1, row: { prompt: "a", completion: "c" } },
    { line: 4, row: { prompt: "b", completion: "c" } },
    { line: 5, row: { prompt: "c", completion: "c" } },
  ]);
});

test("a prompt is a text or a list of messages", async () => {
  const prompt = [
    { role: "system", content: "s" },
    { role: "assistant", content: "", tool_calls: [{ function: { name: "f", arguments: "{}" } }] },
    { role: "tool", tool_call_id: "1", content: [{ type: "text", text: "t" }] },
  ];
  const path = await file(JSON.stringify({ prompt, chosen_response: "y", rejected_response: "n" }));
  const [only] = await read(path, "dpo");
  expect(only).toMatchObject({ line: 1, row: { chosen_response: "y", rejected_response: "n", prompt } });
});

const dpo = { prompt: "p", chosen_response: "c", rejected_response: "r" };
test.each<[string, string, Method, string]>([
  ["no JSON", '{"prompt": "secret', "sft", "this line is not JSON"],
  ["no object", '["secret"]', "sft", "this line is no object; a row for sft is {prompt, completion}"],
  ["no completion", '{"prompt": "secret"}', "sft", '"completion" is missing; a row for sft is {prompt, completion}'],
  [
    "a key that is written wrong",
    '{"prompt": "secret", "completon": "x"}',
    "sft",
    '"completion" is missing (there is "completon"); a row',
  ],
  [
    "a key too many",
    sft("secret").replace("{", '{"id":1,'),
    "sft",
    '"id" is not known. It holds more than it may: a row for sft is',
  ],
  [
    "a row of the other method",
    JSON.stringify(dpo),
    "sft",
    "this is a row for dpo; a row for sft is {prompt, completion}",
  ],
  [
    "the other way round",
    sft("secret"),
    "dpo",
    "this is a row for sft; a row for dpo is {prompt, chosen_response, rejected_response}",
  ],
  ["a number as prompt", sft(7), "sft", '"prompt" must be a text or a list of messages'],
  ["an empty conversation", sft([]), "sft", '"prompt" is an empty list'],
  [
    "a role that nobody has",
    sft([{ role: "secretary", content: "" }]),
    "sft",
    '"prompt.0.role" is not what a message holds',
  ],
  [
    "a message without content",
    sft([{ role: "user" }]),
    "sft",
    '"prompt.0.content" is not what a message holds ({role, content}, tool_calls, tool_call_id, name, reasoning): it must be a text or a list of parts',
  ],
  ["a message that holds more", sft([{ role: "user", content: "", weight: 1 }]), "sft", 'unknown key "weight"'],
  ["a completion that is no text", sft("secret", { role: "assistant" }), "sft", '"completion" must be a text'],
])("%s is an error with file, line and key, and no word of the row", async (_, line, method, what) => {
  const path = await file(`${method === "dpo" ? JSON.stringify(dpo) : sft("first")}\n${line}\n`);
  const error = await read(path, method).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toMatchObject({
    code: "bad_line",
    where: `${path}:2`,
    what: expect.stringContaining(what),
    exit_code: 2,
  });
  expect(JSON.stringify(error) + String(error)).not.toMatch(/secret(?!ary)/);
});

test.each(["", "\n\n", "\uFEFF", "\uFEFF\r\n"])("a file without rows (%j) is an error", async (text) => {
  const path = await file(text);
  await expect(read(path, "dpo")).rejects.toMatchObject({ code: "dataset_empty", where: path, exit_code: 2 });
});

test("a file that is not there, or is a folder, is an error that names it", async () => {
  await expect(read(join(root, "none.jsonl"), "dpo")).rejects.toMatchObject({ code: "dataset_unreadable" });
  await expect(read(root, "dpo")).rejects.toMatchObject({ code: "dataset_unreadable", where: root });
});

test("rows are read as they are asked for", async () => {
  const path = await file(`${sft("a")}\nnot JSON\n`);
  const rows = readRows(path, "sft");
  expect((await rows.next()).value).toMatchObject({ line: 1 });
  await expect(rows.next()).rejects.toMatchObject({ code: "bad_line" });
});
