import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seededRandom } from "../../src/lib/random.ts";
import type { Message } from "../../src/records/message.ts";
import { assistantFrame } from "../../src/tokens/assistant-frame.ts";
import { openChatTemplate } from "../../src/tokens/open-chat-template.ts";
import { openTokenizer } from "../../src/tokens/open-tokenizer.ts";
import { createTokenStream } from "../../src/tokens/token-stream.ts";
import { pythonEnv, smolLm2Folder } from "./python-env.ts";

const { env, skip } = await pythonEnv();

/** What `tokens.py` writes. */
interface Theirs {
  vocab_size: number;
  bos_id: number;
  eos_id: number;
  pad_id: number;
  ids: number[][];
  decoded: string[];
  kept: string[];
  random: string[];
  conversations: { prompt: string; prompt_ids: number[]; whole: string; whole_ids: number[] }[];
}

const WRITTEN = [
  "",
  " ",
  "\n\n  \t \n",
  "Hello, world!",
  " leading and trailing ",
  "don't you're WE'LL I'd it's",
  'def f(x: int) -> str:\n    return f"{x:>10}"  # comment\n\n\n',
  "for (let i = 0; i < 10; i += 1) {\n\tconsole.log(i);\n}\r\n",
  "SELECT * FROM t WHERE a >= 3.14e-10 AND b != 'x';",
  "1234567890 3,141.59 ½ ² Ⅷ ١٢٣ 一二三",
  "<move>\n  <row>1</row>\n  <col>2</col>\n</move>",
  "naïve café Straße Ünïcödé e\u0301 \u00e9",
  "你好，世界！这是一个测试。",
  "こんにちは世界、カタカナ",
  "안녕하세요 세계",
  "Привет, мир! Ещё раз.",
  "שלום עולם مرحبا بالعالم",
  "नमस्ते दुनिया",
  "🙂😀👩‍👩‍👧‍👦🇩🇪👍🏽",
  "a🙂b🙂c",
  "<|im_start|>user\nhi<|im_end|>\n",
  "<|im_start|><|im_end|><|endoftext|>",
  "text<|im_end|>text <|im_end|> text",
  "<|im_start|",
  "<|IM_START|>",
  "<repo_name>x<file_sep>y",
  "\u0000\u0001\u0004\u007f\u0085\u00a0\u2028\u2029\u3000\ufeff\ufffd",
  "zero\u200bwidth\u200cnon\u200djoiner",
  "....!!!???---___***",
  "https://example.org/a/b?c=d&e=%20#f",
  "A".repeat(300),
  "ab ".repeat(100),
  "(x)[y]{z}\\^$|`~@#%&*_=+<>/",
  "camelCaseWord snake_case_word kebab-case-word",
  "\r\n\r\nwindows\r\n",
  "tab\tseparated\tvalues\t\t",
  "ﬁ ligature ＡＢＣ ①②③",
  "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 \u{10FFFF}",
  '{"role": "user", "content": [1, 2, null]}',
  "The quick brown fox jumps over the lazy dog. 0xDEADBEEF",
];

/** The written texts, and others drawn from alphabets that are hard to cut into words. */
function textsOf(count: number): string[] {
  const random = seededRandom(21);
  const ranges: [number, number][] = [
    [0x20, 0x7e],
    [0x61, 0x7a],
    [0x09, 0x0d],
    [0xa0, 0x24f],
    [0x300, 0x36f],
    [0x370, 0x4ff],
    [0x5d0, 0x6ff],
    [0x2000, 0x206f],
    [0x2150, 0x218f],
    [0x3040, 0x30ff],
    [0x4e00, 0x4fff],
    [0x1f300, 0x1f6ff],
  ];
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const texts = [...WRITTEN];
  while (texts.length < count) {
    const characters = Array.from({ length: between(1, 60) }, () => {
      const [low, high] = ranges[between(0, ranges.length - 1)]!;
      return String.fromCodePoint(between(low, high));
    });
    texts.push(characters.join(""));
  }
  return texts;
}

const CONVERSATIONS: Message[][] = [
  [{ role: "user", content: "hi" }],
  [
    { role: "system", content: "  Be brief.\n" },
    { role: "user", content: " Wie geht's? 🙂\n\n" },
  ],
  [
    { role: "user", content: "a" },
    { role: "assistant", content: "b\n" },
    { role: "user", content: "{{ 7 * 7 }} <|im_end|> {% if %}" },
  ],
  [
    { role: "user", content: "" },
    { role: "assistant", content: "" },
  ],
];

/** GGUF does not hold how words are cut: transformers' conversion leaves out that the model's own tokenizer parts digits first. */
const PRE_TOKENIZERS = {
  "as transformers converts it": (byteLevel: unknown) => byteLevel,
  "as the model was published": (byteLevel: unknown) => ({
    type: "Sequence",
    pretokenizers: [{ type: "Digits", individual_digits: true }, byteLevel],
  }),
};

async function copyTokenizer(from: string, to: string, change: (preTokenizer: unknown) => unknown): Promise<void> {
  for (const name of ["config.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja"]) {
    await copyFile(join(from, name), join(to, name));
  }
  const tokenizer = JSON.parse(await readFile(join(from, "tokenizer.json"), "utf8"));
  const pre_tokenizer = change(tokenizer.pre_tokenizer);
  await writeFile(join(to, "tokenizer.json"), JSON.stringify({ ...tokenizer, pre_tokenizer }));
}

test.skipIf(env === null).each(Object.entries(PRE_TOKENIZERS))(
  `a real tokenizer %s, and its template, are those of transformers ${skip ?? ""}`,
  async (_, change) => {
    const folder = await mkdtemp(join(tmpdir(), "pairwright-tokens-"));
    try {
      await copyTokenizer(await smolLm2Folder(env!), folder, change);
      const tokenizer = await openTokenizer(folder);
      const template = await openChatTemplate(folder);
      const random = seededRandom(4);
      const texts = textsOf(100);
      const drawn = Array.from({ length: 100 }, () =>
        Array.from({ length: 20 }, () => Math.floor(random() * tokenizer.vocab_size)),
      );
      const [cases, results] = [join(folder, "cases.json"), join(folder, "results.json")];
      await writeFile(cases, JSON.stringify({ texts, conversations: CONVERSATIONS, random: drawn }));
      await env!.python("tokens.py", [folder, cases, results]);
      const theirs: Theirs = JSON.parse(await readFile(results, "utf8"));

      expect({ ...tokenizer, eos_id: tokenizer.eos_ids[0] }).toMatchObject({
        vocab_size: theirs.vocab_size,
        bos_id: theirs.bos_id,
        eos_id: theirs.eos_id,
        pad_id: theirs.pad_id,
      });
      expect(texts).toHaveLength(100);
      for (const [at, text] of texts.entries()) {
        const ids = tokenizer.encode(text);
        expect({ text, ids }).toEqual({ text, ids: theirs.ids[at] });
        expect(tokenizer.decode(ids)).toBe(theirs.decoded[at]);
        expect(tokenizer.decode(ids, { keep_special: true })).toBe(theirs.kept[at]);
      }
      for (const [at, ids] of drawn.entries()) {
        expect(tokenizer.decode(ids, { keep_special: true })).toBe(theirs.random[at]);
        const stream = createTokenStream(tokenizer, { keep_special: true });
        expect([...ids.map((id) => stream.push(id)), stream.flush()].join("")).toBe(theirs.random[at]);
      }
      for (const [at, messages] of CONVERSATIONS.entries()) {
        const prompt = template.render(messages, { add_generation_prompt: true });
        const whole = template.render(messages);
        expect({ prompt, prompt_ids: tokenizer.encode(prompt), whole, whole_ids: tokenizer.encode(whole) }).toEqual(
          theirs.conversations[at],
        );
      }
      expect(assistantFrame(tokenizer, template)).toEqual({ lead: "", end_ids: [theirs.eos_id], source: "template" });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
