import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Ids of the tiny tokenizer that tests name. Ids 4 to 259 are the 256 bytes, 260 to 319 the words. */
export const TINY = { end_of_text: 0, im_start: 1, im_end: 2, pad: 3, first_byte: 4, first_word: 260, vocab_size: 320 };

/** A leading space is part of a word, as in GPT-2. */
const WORDS = (
  "system user assistant tool You Play play One Two Three Yes No the of in is to and you good bad move reply " +
  "hello world red blue green sun moon cat dog one two three four five six yes no"
).split(" ");
const AFTER_SPACE = "the a of in is to and you good bad move reply world one two three no yes X O".split(" ");

/** ChatML, with tools and their calls. */
export const TINY_TEMPLATE = `{%- if tools %}
{{- '<|im_start|>system\\nTools: ' + (tools | tojson) + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content }}
{%- if message.tool_calls %}
{%- for call in message.tool_calls %}
{{- '\\n<call>' + (call.function | tojson) + '</call>' }}
{%- endfor %}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}
`;

/**
 * The files of a whole tokenizer with 320 entries: byte-level BPE without merges, so that a known word is one token and
 * everything else its bytes. Any text can be encoded.
 */
export function tinyTokenizerFiles(): Record<string, string> {
  const control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"];
  const vocab: Record<string, number> = {};
  const add = (token: string) => {
    vocab[token] = Object.keys(vocab).length;
  };
  for (const token of [...control, ...byteCharacters(), ...WORDS, ...AFTER_SPACE.map((word) => `Ġ${word}`)]) add(token);
  const added = control.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: byteLevel,
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
      ignore_merges: true,
      vocab,
      merges: [],
    },
  };
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    bos_token: null,
    eos_token: "<|im_end|>",
    pad_token: "<|pad|>",
    unk_token: null,
    clean_up_tokenization_spaces: false,
    model_max_length: 256,
  };
  return {
    "tokenizer.json": JSON.stringify(tokenizer),
    "tokenizer_config.json": JSON.stringify(config, null, 2),
    "generation_config.json": JSON.stringify({ eos_token_id: [2, 0] }),
    "chat_template.jinja": TINY_TEMPLATE,
  };
}

/** Writes the tiny tokenizer to a folder. `changes` replaces a file's text, or leaves the file out (`null`). */
export async function writeTinyTokenizer(dir: string, changes: Record<string, string | null> = {}): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const [name, text] of Object.entries({ ...tinyTokenizerFiles(), ...changes })) {
    if (text !== null) await writeFile(join(dir, name), text);
  }
}

/** What each byte is written as in a byte-level vocabulary: itself where it can be printed, else from U+0100 on. */
function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : next++);
  });
}
