import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomParameters, smallConfig } from "../src/engine/generate/__fixtures__/random-model.ts";
import { writeModelFolder } from "../src/engine/weights/write-model-folder.ts";
import { TINY, writeTinyTokenizer } from "../src/tokens/__fixtures__/tiny-tokenizer.ts";
import { perform } from "./support/perform.ts";
import { jsonOf, pairwright } from "./support/program.ts";

interface Result {
  completions: { prompt_index: number; index: number; text: string; finish_reason: string; tokens: number }[];
  tokens_per_s: number;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pairwright-generate-"));
  const config = smallConfig({ vocab_size: TINY.vocab_size, max_position_embeddings: 96 });
  await writeTinyTokenizer(join(folder, "tokenizer"));
  const parameters = randomParameters(config, 3, 0.5);
  await writeModelFolder(join(folder, "model"), {
    config,
    parameters,
    dtype: "F32",
    source_dir: join(folder, "tokenizer"),
  });
});
afterAll(() => rm(folder, { recursive: true }));

const generate = (...args: string[]) => perform(["generate", ...args], { cwd: folder });
const MODEL = ["--model", "model", "--threads", "1"];

test("generate: the same seed gives the same text in another process, and another seed another text", async () => {
  const flags = [...MODEL, "--prompt", "hello", "You play", "--n", "3", "--max_tokens", "12", "--json"];
  const [one, again, other] = await Promise.all([
    generate(...flags, "--seed", "7"),
    pairwright(["generate", ...flags, "--seed", "7"], { cwd: folder }),
    generate(...flags, "--seed", "8"),
  ]);
  const texts = (result: Result) => result.completions.map(({ text }) => text);
  const made = jsonOf<Result>(one);
  expect(made.completions.map(({ prompt_index, index }) => [prompt_index, index])).toEqual([
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 0],
    [1, 1],
    [1, 2],
  ]);
  expect(new Set(texts(made)).size).toBe(6);
  expect(made.tokens_per_s).toBeGreaterThan(0);
  expect(made.completions.every(({ tokens }) => tokens >= 1 && tokens <= 12)).toBe(true);
  expect(texts(jsonOf<Result>(again))).toEqual(texts(made));
  expect(texts(jsonOf<Result>(other))).not.toEqual(texts(made));
});

test("generate: text for people, the chat template unless --raw, weights in blocks", async () => {
  const greedy = [...MODEL, "--prompt", "hello", "--temperature", "0", "--max_tokens", "8"];
  const [templated, raw, blocks] = await Promise.all([
    generate(...greedy),
    generate(...greedy, "--raw"),
    generate(...greedy, "--weights", "int8"),
  ]);
  for (const ended of [templated, raw, blocks]) {
    expect(ended.code).toBe(0);
    expect(ended.stdout.trim()).not.toBe("");
  }
  expect(templated.stdout).not.toBe(raw.stdout);
});

test.each([
  ["no model", ["--prompt", "x"], "error[usage]: --model: it is missing"],
  ["no prompt", MODEL, "error[usage]: --prompt: it is missing"],
  ["no such folder", ["--model", "nothing", "--prompt", "x"], "nothing"],
  [
    "a share over 1",
    [...MODEL, "--prompt", "x", "--top_p", "2"],
    "error[bad_request]: top_p: 2 is not a number from 0 to 1",
  ],
  ["weights of no known format", [...MODEL, "--prompt", "x", "--weights", "int2"], "one of f32, int8, int4"],
  ["a reply without room", [...MODEL, "--prompt", "x", "--max_tokens", "96"], "do not fit in 96 tokens"],
])("generate: %s is a usage error that says so", async (_, args, message) => {
  const ended = await generate(...args);
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toContain(message);
});
