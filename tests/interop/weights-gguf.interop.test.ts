import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { llamaConfig } from "../../src/engine/__fixtures__/llama-config.ts";
import { GGML_TYPES } from "../../src/engine/weights/gguf/dequantise.ts";
import { type ImportedModel, importModel } from "../../src/engine/weights/import-model.ts";
import { readModelFolder } from "../../src/engine/weights/model-folder.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { openTokenizer } from "../../src/tokens/open-tokenizer.ts";
import { writeGguf } from "../support/gguf-file.ts";
import { randomParameters } from "../support/random-parameters.ts";
import { ggufOf, TOKENS } from "../support/tiny-gguf.ts";
import { type PythonEnv, pythonEnv, smolLm2Gguf } from "./python-env.ts";
import { hashesOf, hashOf, runJob, temporaryFolder } from "./support.ts";

const { env, skip } = await pythonEnv();

const BLOCKS = 3000;
const NUMERALS = "½ ² ① ٣ ৭";
const TEXTS = [
  "",
  " ",
  "Hello, world!",
  "Hello  world   with    spaces",
  " leading",
  "trailing ",
  "\n\n\n",
  "\t\ttabs\tand\r\nlines\r\n",
  "1234567890",
  "in 2024, 3.14159 and 1,000,000",
  "0 00 000 0000",
  NUMERALS,
  "it's we're I'll you'd they've can't I'm",
  "IT'S WE'RE I'LL",
  "O'Reilly's 'quoted' ‘curly’",
  "def f(x):\n    return x**2  # square\n",
  "for (let i = 0; i < n; i++) { a[i] += b[i]; }",
  '<div class="a b">&nbsp;</div>',
  '{"key": [1, 2, {"x": null}]}',
  "SELECT * FROM t WHERE a='b';",
  "https://example.org/path?q=1&r=2#frag",
  "user@example.org",
  "snake_case camelCase PascalCase kebab-case",
  "!!!???...,,,;;;:::",
  "«guillemets» — em–en-hyphen…",
  "é è ê ë ē ė ę",
  "e\u0301 combining",
  "Grüße aus München, Straße",
  "Привет, мир!",
  "Γειά σου Κόσμε",
  "你好，世界！",
  "こんにちは世界",
  "안녕하세요 세계",
  "שלום עולם",
  "مرحبا بالعالم",
  "नमस्ते दुनिया",
  "สวัสดีชาวโลก",
  "🙂🙃 👩‍💻 🇩🇪 👍🏽",
  "a🙂b",
  "\u0000\u0001\u007f",
  "\u00a0\u2003\u200b\ufeff",
  "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
  "<|endoftext|><|endoftext|>",
  "<|im_start|> <|im_end",
  "text<|im_end|>text",
  "<repo_name>x<file_sep>y<gh_stars>",
  "X | O | X\n--+---+--\nO | X | .\n",
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "The quick brown fox jumps over the lazy dog. ".repeat(8),
  "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ﬁ ﷺ ㍿",
];

/** See `sentencepiece.test.ts`. */
const PIECES = JSON.parse(
  await readFile(new URL("../../src/engine/weights/gguf/__fixtures__/sentencepiece.json", import.meta.url), "utf8"),
) as { pieces: string[]; scores: number[]; types: number[]; texts: string[]; ids: number[][] };

/** Ways to cut a text into words that transformers knows by these names, too. */
const PRE = ["gpt-2", "llama-bpe", "qwen2", "tekken"];

interface Tokens {
  file: number[][];
  folder: number[][];
  size: [number, number];
  named: [unknown, unknown];
  templates: [string | null, string | null];
}
interface Report {
  blocks: Record<string, string>;
  models: Record<string, string>[];
  tokens: Tokens[];
  splits: { file: string[][]; folder: string[][] }[];
}

const TINY = {
  llama: llamaConfig({ vocab_size: TOKENS.length }),
  untied: llamaConfig({ vocab_size: TOKENS.length, tie_word_embeddings: false, num_key_value_heads: 4 }),
  qwen2: llamaConfig({ model_type: "qwen2", attention_bias: "qkv", vocab_size: TOKENS.length }),
};

let dir: string;
let report: Report;
let smol: ImportedModel;

/** Blocks of one type, of random bytes: scales of every kind, huge and tiny ones, infinities and NaN left out. */
function randomBlocks(bytes: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const blocks = Uint8Array.from({ length: BLOCKS * bytes }, () => Math.floor(random() * 256));
  // An exponent of all ones in a scale, which no converter writes: NaNs of different makers differ in bits that mean
  // nothing.
  for (let at = 1; at < blocks.length; at += 1)
    if (((blocks[at] as number) & 0x7c) === 0x7c) blocks[at] = (blocks[at] as number) & 0xbf;
  return blocks;
}

/** A model with the vocabulary that the sentencepiece package trained. */
async function writeSentencePiece(path: string): Promise<void> {
  const config = llamaConfig({ vocab_size: PIECES.pieces.length });
  const file = ggufOf(config, randomParameters(config));
  Object.assign(file.metadata, {
    "tokenizer.ggml.model": { text: "llama" },
    "tokenizer.ggml.pre": { text: "default" },
    "tokenizer.ggml.tokens": { texts: PIECES.pieces },
    "tokenizer.ggml.scores": { f32s: PIECES.scores },
    "tokenizer.ggml.token_type": { i32s: PIECES.types },
    "tokenizer.ggml.unknown_token_id": { u32: 0 },
  });
  delete file.metadata["tokenizer.ggml.merges"];
  await writeGguf(path, file);
}

async function prepare(made: PythonEnv): Promise<void> {
  dir = await temporaryFolder("gguf");
  const blocks: Record<string, string> = {};
  for (const [number, { name, bytes }] of GGML_TYPES) {
    blocks[name] = join(dir, `${name}.bin`);
    await writeFile(blocks[name], randomBlocks(bytes, number + 1));
  }
  const models: string[] = [];
  for (const [name, config] of Object.entries(TINY)) {
    models.push(join(dir, `${name}.gguf`));
    await writeGguf(join(dir, `${name}.gguf`), ggufOf(config, randomParameters(config, 6)));
  }
  const real = await smolLm2Gguf(made);
  smol = await importModel(real, join(dir, "smol"));
  await writeSentencePiece(join(dir, "pieces.gguf"));
  await importModel(join(dir, "pieces.gguf"), join(dir, "pieces"));
  const tokens = [
    { gguf: real, folder: join(dir, "smol"), texts: TEXTS, template: true },
    { gguf: join(dir, "pieces.gguf"), folder: join(dir, "pieces"), texts: PIECES.texts, template: false },
  ];
  const splits = [];
  for (const pre of PRE) {
    const file = ggufOf(TINY.llama, randomParameters(TINY.llama));
    file.metadata["tokenizer.ggml.pre"] = { text: pre };
    const gguf = join(dir, `pre-${pre}.gguf`);
    await writeGguf(gguf, file);
    await importModel(gguf, join(dir, `pre-${pre}`));
    splits.push({ gguf, folder: join(dir, `pre-${pre}`), texts: TEXTS });
  }
  report = await runJob<Report>(made, "gguf_files.py", { blocks, models: [...models, real], tokens, splits });
}

beforeAll(async () => {
  if (env !== null) await prepare(env);
});
afterAll(async () => {
  if (env !== null) await rm(dir, { recursive: true, force: true });
});

describe.skipIf(env === null)(`GGUF ${skip ?? ""}`, () => {
  test("blocks of random bytes come out bit for bit as from the gguf package, in every type", () => {
    const hashes = [...GGML_TYPES].map(([number, { name, block, bytes, dequantise }]) => {
      const numbers = new Float32Array(BLOCKS * block);
      dequantise(randomBlocks(bytes, number + 1), numbers);
      return [name, hashOf(numbers)] as const;
    });
    expect(hashes.length).toBe(11);
    expect(Object.fromEntries(hashes)).toEqual(report.blocks);
  });

  test("small models, made by hand, are to transformers what they are to us", async () => {
    for (const [i, [name, config]] of Object.entries(TINY).entries()) {
      await importModel(join(dir, `${name}.gguf`), join(dir, name));
      const { parameters } = await readModelFolder(join(dir, name));
      expect([name, hashesOf(parameters)]).toEqual([name, report.models[i]]);
      expect([name, hashesOf(randomParameters(config, 6))]).toEqual([name, report.models[i]]);
    }
  });

  test("SmolLM2-135M-Instruct in Q4_1 comes out bit for bit as from transformers", async () => {
    expect(smol).toMatchObject({ parameters: 134_515_008, vocab: 49_152, types: { Q4_1: 210, Q8_0: 1, F32: 61 } });
    const { parameters } = await readModelFolder(join(dir, "smol"));
    expect(parameters.size).toBe(272);
    expect(hashesOf(parameters)).toEqual(report.models.at(-1));
  });

  test("its tokenizer is that of transformers on 50 texts, whoever reads it", async () => {
    const [theirs] = report.tokens;
    expect(TEXTS.length).toBe(50);
    const tokenizer = await openTokenizer(join(dir, "smol"));
    const ours = TEXTS.map((text) => tokenizer.encode(text));
    expect(theirs?.folder).toEqual(ours);
    // SmolLM's tokenizer cuts at every numeral, as llama.cpp does; transformers' reader of GGUF files forgets that. It
    // shows with others than 0-9 only.
    expect(TEXTS.filter((_, i) => JSON.stringify(ours[i]) !== JSON.stringify(theirs?.file[i]))).toEqual([NUMERALS]);
    expect(theirs?.size).toEqual([49_152, 49_152]);
    expect(theirs?.named[1]).toEqual(theirs?.named[0]);
    expect(theirs?.templates[1]).toBe(theirs?.templates[0]);
    expect(theirs?.templates[0]).toContain("<|im_start|>user\nHello<|im_end|>");
  });

  test("texts are cut into words as transformers cuts them by the same name", () => {
    expect(report.splits.length).toBe(4);
    for (const [i, { file, folder }] of report.splits.entries()) expect([PRE[i], folder]).toEqual([PRE[i], file]);
    expect(new Set(report.splits.map(({ folder }) => JSON.stringify(folder))).size).toBe(4);
  });

  test("a SentencePiece tokenizer in our folder is to transformers what it is to sentencepiece", () => {
    const plain = PIECES.texts.flatMap((text, i) => (text.includes("<think>") ? [] : [i]));
    expect(plain.length).toBe(48);
    const theirs = report.tokens[1];
    expect(plain.map((i) => [PIECES.texts[i], theirs?.folder[i]])).toEqual(
      plain.map((i) => [PIECES.texts[i], PIECES.ids[i]]),
    );
    expect(theirs?.size).toEqual([640, 640]);
  });
});
