import { SYSTEM_PROMPT } from "./prompt.ts";

const CONTROL = ["<|begin|>", "<|end|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>"] as const;
type Control = (typeof CONTROL)[number];

/** A conversation as the base model reads it: every message after the mark of who speaks, and an end after each reply. */
const CHAT_TEMPLATE = `{{- bos_token }}
{%- for message in messages %}
{%- if message.role not in ['system', 'user', 'assistant'] %}
{{- raise_exception('this model knows the roles system, user and assistant only') }}
{%- endif %}
{{- '<|' + message.role + '|>' + message.content }}
{%- if message.role == 'assistant' %}
{{- eos_token }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|assistant|>' }}
{%- endif %}
`;

/**
 * What the prompts and replies of this example are made of, a token each: a position is asked in nine tokens and answered in four,
 * the end included. A token a board row, and not one a square, is what lets a model of this size learn to play well.
 */
export function phrases(): string[] {
  return [
    ...["X", "O"].map((symbol) => SYSTEM_PROMPT.replaceAll("{symbol}", symbol)),
    "  1 2 3\n",
    ...printedRows(),
    ...[1, 2, 3].map((row) => `<move>\n  <row>${row}`),
    ...[1, 2, 3].map((col) => `</row>\n  <col>${col}`),
    "</col>\n</move>",
    // What is said of a reply that was no legal move before the board is shown again.
    "That is no legal move: ",
    ...[1, 2, 3].flatMap((row) => [1, 2, 3].map((col) => `row ${row}, column ${col}`)),
    " is taken by X",
    " is taken by O",
    ...["X", "O"].map(
      (symbol) => `. You play ${symbol}. Reply with one empty square as <move><row>R</row><col>C</col></move>.\n`,
    ),
  ];
}

/** All 81: three rows, each square empty, X's or O's. */
function printedRows(): string[] {
  const marks = ["_", "X", "O"];
  return [1, 2, 3].flatMap((row) =>
    marks.flatMap((a) => marks.flatMap((b) => marks.map((c) => `${row} ${a} ${b} ${c}\n`))),
  );
}

/**
 * The base model's vocabulary by id: control tokens, phrases, and the 256 bytes, of which any other text is made. Written as
 * byte-level tokenizers write it, with a character for each byte.
 */
export function vocabulary(): Map<string, number> {
  const entries = [...CONTROL, ...phrases().map(byteCharacters), ...BYTES];
  return new Map(entries.map((entry, id) => [entry, id]));
}

export function controlId(token: Control): number {
  return CONTROL.indexOf(token);
}

/** The files of a Hugging Face folder that say how text becomes tokens, by name. */
export function tokenizerFiles(): Record<string, string> {
  // Longest first: a pattern takes the first alternative that fits.
  const sought = phrases().sort((a, b) => b.length - a.length);
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: CONTROL.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        {
          type: "Split",
          pattern: { Regex: sought.map((phrase) => phrase.replace(/[.]/g, "\\$&")).join("|") },
          behavior: "Isolated",
          invert: false,
        },
        byteLevel,
      ],
    },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      // There are no merges: a piece of text is a phrase, or its bytes.
      ignore_merges: true,
      vocab: Object.fromEntries(vocabulary()),
      merges: [],
    },
  };
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    bos_token: "<|begin|>",
    eos_token: "<|end|>",
    pad_token: "<|pad|>",
    clean_up_tokenization_spaces: false,
    model_max_length: 512,
    chat_template: CHAT_TEMPLATE,
  };
  return {
    "tokenizer.json": `${JSON.stringify(tokenizer, null, 1)}\n`,
    "tokenizer_config.json": `${JSON.stringify(config, null, 2)}\n`,
  };
}

/** What GPT-2's table writes for each byte: itself where it can be printed, else a character from U+0100 on, in order. */
const BYTES = byteTable();

function byteTable(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : next++);
  });
}

function byteCharacters(text: string): string {
  return [...Buffer.from(text, "utf8")].map((byte) => BYTES[byte]).join("");
}
