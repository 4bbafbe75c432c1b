import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TINY, tinyTokenizerFiles, writeTinyTokenizer } from "./__fixtures__/tiny-tokenizer.ts";
import { openTokenizer } from "./open-tokenizer.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "pairwright-tokens-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let made = 0;
async function folder(changes: Record<string, string | null> = {}): Promise<string> {
  made += 1;
  const dir = join(root, String(made));
  await writeTinyTokenizer(dir, changes);
  return dir;
}

/** `tokenizer.json` with some of it replaced. */
function changed(change: (tokenizer: Record<string, unknown> & { model: Record<string, unknown> }) => void): string {
  const tokenizer = JSON.parse(tinyTokenizerFiles()["tokenizer.json"] as string);
  change(tokenizer);
  return JSON.stringify(tokenizer);
}

test("the tiny tokenizer has each id from 0 to 319 once", () => {
  const { model } = JSON.parse(tinyTokenizerFiles()["tokenizer.json"] as string);
  const ids = Object.values<number>(model.vocab).sort((a, b) => a - b);
  expect(ids).toEqual(Array.from({ length: TINY.vocab_size }, (_, id) => id));
});

test("what the files say of special tokens is read from all of them", async () => {
  const tokenizer = await openTokenizer(await folder());
  expect(tokenizer).toMatchObject({
    vocab_size: TINY.vocab_size,
    bos_id: null,
    eos_ids: [TINY.im_end, TINY.end_of_text],
    pad_id: TINY.pad,
    special_tokens: { eos_token: "<|im_end|>", pad_token: "<|pad|>" },
  });

  const older = await openTokenizer(
    await folder({
      "tokenizer_config.json": null,
      "generation_config.json": null,
      "special_tokens_map.json": JSON.stringify({
        bos_token: { content: "<|im_start|>", lstrip: false },
        pad_token: "[PAD]",
      }),
      "config.json": JSON.stringify({ eos_token_id: 2, hidden_size: 8 }),
    }),
  );
  expect(older).toMatchObject({ bos_id: TINY.im_start, eos_ids: [TINY.im_end], pad_id: null });

  const none = await openTokenizer(await folder({ "tokenizer_config.json": "{}", "generation_config.json": null }));
  expect(none).toMatchObject({ bos_id: null, eos_ids: [], pad_id: null, special_tokens: {} });
});

test("known words are one token, all else its bytes, and control tokens that are written out their ids", async () => {
  const tokenizer = await openTokenizer(await folder());
  expect(tokenizer.encode("")).toEqual([]);
  const text = "<|im_start|>user\nPlay the good é<|im_end|>";
  const ids = tokenizer.encode(text);
  const byte = (value: number) => TINY.first_byte + value;
  expect(ids).toEqual([
    TINY.im_start,
    tokenizer.idOf("user"),
    byte(0x0a),
    tokenizer.idOf("Play"),
    tokenizer.idOf("Ġthe"),
    tokenizer.idOf("Ġgood"),
    byte(0x20),
    byte(0xc3),
    byte(0xa9),
    TINY.im_end,
  ]);
  expect(tokenizer.decode(ids)).toBe("user\nPlay the good é");
  expect(tokenizer.decode(ids, { keep_special: true })).toBe(text);
  expect([tokenizer.isSpecial(TINY.im_end), tokenizer.isSpecial(byte(0x0a))]).toEqual([true, false]);
  expect(tokenizer.bytesOf(byte(0xc3))).toEqual(Uint8Array.of(0xc3));
  expect(tokenizer.idOf("nowhere")).toBeNull();
});

test("a post-processor's tokens are not added, and spaces are never cleaned up", async () => {
  const dir = await folder({
    "tokenizer.json": changed((tokenizer) => {
      tokenizer.post_processor = {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: "<|im_start|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
        pair: [],
        special_tokens: { "<|im_start|>": { id: "<|im_start|>", ids: [1], tokens: ["<|im_start|>"] } },
      };
    }),
    "tokenizer_config.json": JSON.stringify({
      clean_up_tokenization_spaces: true,
      add_bos_token: true,
      bos_token: "<|im_start|>",
    }),
  });
  const tokenizer = await openTokenizer(dir);
  const ids = tokenizer.encode("a , b . c 's");
  expect(ids).not.toContain(TINY.im_start);
  expect(tokenizer.decode(ids)).toBe("a , b . c 's");
});

test("a special token that only the configuration names is one token and no text", async () => {
  const dir = await folder({ "tokenizer_config.json": JSON.stringify({ eos_token: "hello" }) });
  const tokenizer = await openTokenizer(dir);
  const hello = tokenizer.idOf("hello") as number;
  expect(tokenizer.encode("ahello")).toEqual([tokenizer.idOf("a") ?? TINY.first_byte + 0x61, hello]);
  expect(tokenizer.decode([hello])).toBe("");
  expect(tokenizer.eos_ids[0]).toBe(hello);
});

test("half a surrogate pair is the replacement character, whose bytes these are", async () => {
  const tokenizer = await openTokenizer(await folder());
  expect(tokenizer.encode("a\ud83d b")).toEqual(tokenizer.encode("a\ufffd b"));
  expect(tokenizer.decode(tokenizer.encode("\ud83d\ude42 \ude42"))).toBe("🙂 \ufffd");
});

test("ids that the vocabulary does not have are passed over", async () => {
  const tokenizer = await openTokenizer(await folder());
  expect(tokenizer.decode([TINY.vocab_size + 5, TINY.first_byte + 0x61, -1])).toBe("a");
});

test.each<[string, Record<string, string | null>, string, string, string]>([
  ["no tokenizer.json", { "tokenizer.json": null }, "tokenizer_missing", "tokenizer.json", "no such file"],
  ["an empty file", { "tokenizer.json": "" }, "tokenizer_broken", "tokenizer.json", "the file is empty"],
  [
    "half a file",
    { "tokenizer.json": '{"model": {"vocab": {"a": ' },
    "tokenizer_broken",
    "tokenizer.json",
    "not JSON from character 27 of 26 on",
  ],
  [
    "a step of a sequence without its type",
    {
      "tokenizer.json": JSON.stringify({
        model: { type: "WordLevel", vocab: {} },
        pre_tokenizer: { type: "Sequence", pretokenizers: [{}] },
      }),
    },
    "tokenizer_broken",
    "tokenizer.json",
    '"pre_tokenizer.pretokenizers.0.type" is not what it should be',
  ],
  ["no model", { "tokenizer.json": "{}" }, "tokenizer_broken", "tokenizer.json", '"model" is not what it should be'],
  ["a broken configuration", { "tokenizer_config.json": "{" }, "tokenizer_broken", "tokenizer_config.json", "not JSON"],
  [
    "an end token that is no id",
    { "generation_config.json": '{"eos_token_id": "2"}' },
    "tokenizer_broken",
    "generation_config.json",
    '"eos_token_id"',
  ],
  [
    "no merges",
    { "tokenizer.json": changed(({ model }) => delete model.merges) },
    "tokenizer_broken",
    "tokenizer.json",
    "cannot be built",
  ],
  [
    "ids that are no numbers",
    { "tokenizer.json": changed(({ model }) => (model.vocab = { a: "x" })) },
    "tokenizer_broken",
    "tokenizer.json",
    '"a"',
  ],
  [
    "an unknown normalizer",
    { "tokenizer.json": changed((it) => (it.normalizer = { type: "Rot13" })) },
    "tokenizer_unsupported",
    "tokenizer.json",
    "Normalizer of type Rot13",
  ],
  [
    "an approximate normalizer",
    {
      "tokenizer.json": changed((it) => (it.normalizer = { type: "Sequence", normalizers: [{ type: "Precompiled" }] })),
    },
    "tokenizer_unsupported",
    "tokenizer.json",
    "Precompiled",
  ],
  [
    "an unknown pre-tokenizer",
    { "tokenizer.json": changed((it) => (it.pre_tokenizer = { type: "UnicodeScripts" })) },
    "tokenizer_unsupported",
    "tokenizer.json",
    "PreTokenizer of type UnicodeScripts",
  ],
  [
    "an unknown decoder",
    { "tokenizer.json": changed((it) => (it.decoder = { type: "CTC" })) },
    "tokenizer_unsupported",
    "tokenizer.json",
    "decoder of type CTC",
  ],
])("%s is one clear error", async (_, changes, code, file, words) => {
  const dir = await folder(changes);
  await expect(openTokenizer(dir)).rejects.toMatchObject({
    code,
    where: join(dir, file),
    what: expect.stringContaining(words),
    fix: expect.any(String),
    exit_code: 2,
  });
});

test("a text that a vocabulary without bytes and unknown token cannot hold is an error without the text", async () => {
  const dir = await folder({
    "tokenizer.json": changed((it) => {
      it.pre_tokenizer = { type: "Split", pattern: { Regex: "." }, behavior: "Isolated", invert: false };
      it.decoder = { type: "Fuse" };
      it.added_tokens = [];
      it.model = { type: "WordLevel", vocab: { a: 0, b: 1 }, unk_token: "[UNK]" };
    }),
  });
  const tokenizer = await openTokenizer(dir);
  expect(tokenizer.encode("abba")).toEqual([0, 1, 1, 0]);
  expect(() => tokenizer.encode("secret")).toThrow(expect.objectContaining({ code: "token_unknown" }));
  expect(() => tokenizer.encode("secret")).not.toThrow(/secret/);
});
