import { unsupportedGguf } from "./parse-gguf.ts";

/** A step of tokenizer.json's pre_tokenizer. */
type Step = Record<string, unknown>;

/** How a text is cut into words before merging, and whether a word that is a token is taken whole. */
export interface PreTokenizer {
  steps: Step[];
  ignore_merges: boolean;
  /** llama.cpp puts a beginning-of-text token before every text, unless the file says otherwise. */
  add_bos: boolean;
}

/** Bytes as characters, words cut as GPT-2 cuts them, or, `use_regex: false`, not cut again. */
const byteLevel = (use_regex: boolean): Step => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex,
});
const split = (Regex: string): Step => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const LETTERS = String.raw`[^\r\n\p{L}\p{N}]?\p{L}+`;
const REST = String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const LLAMA3 = [CONTRACTIONS, LETTERS, String.raw`\p{N}{1,3}`, REST].join("|");
const QWEN2 = [CONTRACTIONS, LETTERS, String.raw`\p{N}`, REST].join("|");
const BEFORE = String.raw`[^\r\n\p{L}\p{N}]?`;
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
const TEKKEN = [
  `${BEFORE}${UPPER}*${LOWER}+`,
  `${BEFORE}${UPPER}+${LOWER}*`,
  String.raw`\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
].join("|");

const GPT2_STEPS = [byteLevel(true)];
const DIGITS_STEPS = [{ type: "Digits", individual_digits: true }, byteLevel(true)];
/** What llama.cpp does where a file names none, or "default": the tokenizer's own way is not known. */
const DEFAULT_STEPS = [
  split(String.raw`[\p{P}\$\+<=>\^~\|]+`),
  split(String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`),
  split(String.raw`\p{N}+`),
  split("[0-9][0-9][0-9]"),
  byteLevel(false),
];

const plain = (steps: Step[]): PreTokenizer => ({ steps, ignore_merges: false, add_bos: false });
const whole = (pattern: string): PreTokenizer => ({
  steps: [split(pattern), byteLevel(false)],
  ignore_merges: true,
  add_bos: true,
});
const spread = (names: string, pre: PreTokenizer) => names.split(" ").map((name) => [name, pre] as const);

/** By the names that `tokenizer.ggml.pre` gives them, with llama.cpp's own groups. */
const KNOWN: ReadonlyMap<string, PreTokenizer> = new Map([
  ...spread("default", plain(DEFAULT_STEPS)),
  ...spread("gpt-2 gpt2 phi-2 mpt olmo jais trillion roberta-bpe", plain(GPT2_STEPS)),
  ...spread("smollm starcoder refact command-r codeshell exaone minerva-7b", plain(DIGITS_STEPS)),
  ...spread("llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral", whole(LLAMA3)),
  ...spread("dbrx smaug-bpe", plain([split(LLAMA3), byteLevel(false)])),
  ...spread("qwen2 deepseek-r1-qwen megrez stablelm2 hunyuan", plain([split(QWEN2), byteLevel(false)])),
  ...spread("tekken", whole(TEKKEN)),
]);

/** The pre-tokenizer that `tokenizer.ggml.pre` names; another one is an `unsupported_gguf` error that names it. */
export function preTokenizerOf(name: string, path: string): PreTokenizer {
  const known = KNOWN.get(name);
  if (known !== undefined) return known;
  throw unsupportedGguf(
    path,
    `tokenizer.ggml.pre is "${name}"; ${[...KNOWN.keys()].join(", ")} are supported`,
    "use the model's Hugging Face folder, which holds its tokenizer.json",
  );
}
