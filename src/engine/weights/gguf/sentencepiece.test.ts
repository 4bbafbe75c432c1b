import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type TestValue, writeGguf } from "../../../../tests/support/gguf-file.ts";
import { randomParameters } from "../../../../tests/support/random-parameters.ts";
import { ggufOf } from "../../../../tests/support/tiny-gguf.ts";
import { openTokenizer } from "../../../tokens/open-tokenizer.ts";
import { llamaConfig } from "../../__fixtures__/llama-config.ts";
import { importModel } from "../import-model.ts";

/**
 * Made with the sentencepiece package (0.2): BPE of 640 pieces with byte fallback and a user's own token, trained on
 * this repository's texts; what it makes of 50 texts, and what it makes of its ids again.
 */
interface Golden {
  pieces: string[];
  scores: number[];
  types: number[];
  texts: string[];
  ids: number[][];
  decoded: string[];
}

const golden = JSON.parse(
  await readFile(new URL("__fixtures__/sentencepiece.json", import.meta.url), "utf8"),
) as Golden;
const root = await mkdtemp(join(tmpdir(), "pairwright-sentencepiece-"));
let paths = 0;

async function imported(changes: Record<string, TestValue | null> = {}): Promise<string> {
  const config = llamaConfig({ vocab_size: golden.pieces.length });
  const file = ggufOf(config, randomParameters(config));
  for (const key of Object.keys(file.metadata)) if (key.startsWith("tokenizer.")) delete file.metadata[key];
  const tokenizer: Record<string, TestValue | null> = {
    "tokenizer.ggml.model": { text: "llama" },
    "tokenizer.ggml.tokens": { texts: golden.pieces },
    "tokenizer.ggml.scores": { f32s: golden.scores },
    "tokenizer.ggml.token_type": { i32s: golden.types },
    "tokenizer.ggml.bos_token_id": { u32: 1 },
    "tokenizer.ggml.eos_token_id": { u32: 2 },
    "tokenizer.ggml.unknown_token_id": { u32: 0 },
    ...changes,
  };
  for (const [key, value] of Object.entries(tokenizer)) if (value !== null) file.metadata[key] = value;
  paths += 1;
  await writeGguf(join(root, `${paths}.gguf`), file);
  await importModel(join(root, `${paths}.gguf`), join(root, String(paths)));
  return join(root, String(paths));
}

test("texts become the ids that sentencepiece makes of them, and texts again", async () => {
  const dir = await imported();
  const tokenizer = await openTokenizer(dir);

  expect(golden.texts.length).toBe(50);
  const plain = golden.texts.filter((text) => !text.includes("<think>"));
  expect(plain.length).toBe(48);
  for (const text of plain) {
    const at = golden.texts.indexOf(text);
    expect([text, tokenizer.encode(text)]).toEqual([text, golden.ids[at]]);
    expect(tokenizer.decode(golden.ids[at] ?? [])).toBe(golden.decoded[at]);
  }
  expect(tokenizer).toMatchObject({ vocab_size: 640, bos_id: 1, eos_ids: [2] });
});

test("a beginning stands before every text unless the file says otherwise", async () => {
  const read = async (dir: string) =>
    JSON.parse(await readFile(join(dir, "tokenizer.json"), "utf8")) as Record<string, unknown>;
  expect((await read(await imported())).post_processor).toMatchObject({ type: "TemplateProcessing" });
  const without = await imported({ "tokenizer.ggml.add_bos_token": { bool: false } });
  expect((await read(without)).post_processor).toBeNull();
});

test("control and user's tokens are matched whole; after them a space is put before the text, as llama.cpp does", async () => {
  const tokenizer = await openTokenizer(await imported());
  const think = golden.pieces.indexOf("<think>");
  const [word = []] = [tokenizer.encode("the")];
  expect(tokenizer.encode("the<think>the</s>")).toEqual([...word, think, ...word, 2]);
});

test("without the space before", async () => {
  const tokenizer = await openTokenizer(await imported({ "tokenizer.ggml.add_space_prefix": { bool: false } }));
  const th = golden.pieces.indexOf("th");
  expect(tokenizer.encode("th")).toEqual([th]);
  expect(tokenizer.decode(tokenizer.encode(" th"))).toBe(" th");
});

test("scores that are missing or too few are an error", async () => {
  await expect(imported({ "tokenizer.ggml.scores": null })).rejects.toThrow(
    "tokenizer.ggml.scores has 0 entries for 640 tokens",
  );
});
