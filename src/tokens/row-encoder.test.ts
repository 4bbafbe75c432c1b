import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Message } from "../records/message.ts";
import { TINY, TINY_TEMPLATE, writeTinyTokenizer } from "./__fixtures__/tiny-tokenizer.ts";
import { type ChatTemplate, createChatTemplate, plainTemplate } from "./chat-template.ts";
import { describeLeftOut, encodeDataset } from "./encode-dataset.ts";
import { openTokenizer } from "./open-tokenizer.ts";
import { createRowEncoder } from "./row-encoder.ts";
import type { Tokenizer } from "./tokenizer.ts";

let root: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "pairwright-encode-"));
  await writeTinyTokenizer(root);
  tokenizer = await openTokenizer(root);
});
afterAll(() => rm(root, { recursive: true, force: true }));

const template = (text: string): ChatTemplate =>
  createChatTemplate({
    template: text,
    where: "chat_template.jinja",
    special_tokens: { bos_token: "<|im_start|>", eos_token: "<|im_end|>" },
    clock: { now: () => 0 },
  });
const chatml = template(TINY_TEMPLATE);

function encoder(chat: ChatTemplate = chatml, max_length = 1000) {
  return createRowEncoder({ tokenizer, template: chat, max_length, path: "rows.jsonl" });
}
const sft = (prompt: string | Message[], completion: string) => ({ line: 7, row: { prompt, completion } });
const dpo = (chosen_response: string, rejected_response: string, prompt = "hello") => ({
  line: 7,
  row: { prompt, chosen_response, rejected_response },
});

test("a text is one user message; the completion is the reply and the token that ends the turn", () => {
  const encoded = encoder().encode("sft", sft("Play the move", "One two"));
  const prompt = "<|im_start|>user\nPlay the move<|im_end|>\n<|im_start|>assistant\n";
  expect(encoded).toEqual({
    truncated: false,
    why: null,
    row: {
      line: 7,
      prompt_ids: tokenizer.encode(prompt),
      // The newline after <|im_end|> is the template's and is not trained.
      completion_ids: [tokenizer.idOf("One"), tokenizer.idOf("Ġtwo"), TINY.im_end],
    },
  });
});

test("a list of messages is the conversation, with its calls of tools", () => {
  const messages: Message[] = [
    { role: "system", content: "good" },
    { role: "user", content: "move" },
    {
      role: "assistant",
      content: "",
      tool_calls: [{ type: "function", function: { name: "f", arguments: '{"a": 1}' } }],
    },
    { role: "tool", content: "Yes" },
  ];
  const { row } = encoder().encode("sft", sft(messages, "No"));
  expect(tokenizer.decode(row!.prompt_ids, { keep_special: true })).toBe(
    '<|im_start|>system\ngood<|im_end|>\n<|im_start|>user\nmove<|im_end|>\n<|im_start|>assistant\n\n<call>{"name": "f", "arguments": {"a": 1}}</call><|im_end|>\n<|im_start|>tool\nYes<|im_end|>\n<|im_start|>assistant\n',
  );
});

test("prompt and completion are tokenised apart, as generation meets them", () => {
  const plain = encoder(plainTemplate("/model"));
  const { row } = plain.encode("sft", sft("hello", " world"));
  expect(row).toMatchObject({
    prompt_ids: [tokenizer.idOf("hello")],
    completion_ids: [tokenizer.idOf("Ġworld"), TINY.im_end],
  });
  // "wor" + "ld" would be one token if they met before they were tokenised.
  const cut = plain.encode("sft", sft("hello wor", "ld"));
  expect([...cut.row!.prompt_ids, ...cut.row!.completion_ids]).toEqual([
    ...tokenizer.encode("hello wor"),
    ...tokenizer.encode("ld"),
    TINY.im_end,
  ]);
  expect(cut.row!.prompt_ids).not.toContain(tokenizer.idOf("Ġworld"));
});

test.each<[string, string, string, string]>([
  [
    "writes the end token and no newline",
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
    "good",
    "good<|im_end|>",
  ],
  [
    "writes a space before the reply",
    "{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
    "good",
    " good<|im_end|>",
  ],
  [
    "puts empty thoughts before it",
    "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
    "good",
    "<think>\n\n</think>\n\ngood<|im_end|>",
  ],
  [
    "puts empty thoughts before it, and the reply has its own",
    "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
    "<think>to</think>good",
    "<think>to</think>good<|im_end|>",
  ],
  [
    "trims the reply",
    "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
    " good\n",
    " good\n<|im_end|>",
  ],
  [
    "ends the turn with another control token",
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n<|im_start|>\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
    "good",
    "good\n<|im_start|>",
  ],
  [
    "begins the conversation in another way without a prompt to answer",
    "{% if not add_generation_prompt %}whole: {% endif %}{% for m in messages %}{{ m.content }}{% endfor %}",
    "good",
    "good<|im_end|>",
  ],
  ["writes no end", "{% for m in messages %}{{ m.content }}\n{% endfor %}", "good", "good<|im_end|>"],
])("a template that %s", (_, text, reply, completion) => {
  const { row } = encoder(template(text)).encode("sft", sft("hello", reply));
  expect(tokenizer.decode(row!.completion_ids, { keep_special: true })).toBe(completion);
});

test("where the end comes from is told, and without any it is an error", async () => {
  expect(encoder().frame).toEqual({ lead: "", end_ids: [TINY.im_end], source: "template" });
  expect(encoder(plainTemplate("/model")).frame).toMatchObject({ end_ids: [TINY.im_end], source: "eos" });

  const dir = join(root, "no-end");
  await writeTinyTokenizer(dir, { "tokenizer_config.json": "{}", "generation_config.json": null });
  const without = await openTokenizer(dir);
  const options = { tokenizer: without, template: plainTemplate(dir), max_length: 9, path: "rows.jsonl" };
  expect(() => createRowEncoder(options)).toThrow(expect.objectContaining({ code: "end_token_missing", where: dir }));
});

test("a completion is cut at its end, and a prompt that fills the length makes the row too long", () => {
  const prompt = encoder().encode("sft", sft("hello", "One")).row!.prompt_ids;
  const reply = "One two three four";
  const whole = encoder().encode("sft", sft("hello", reply)).row!.completion_ids;
  const at = (length: number) => encoder(chatml, length).encode("sft", sft("hello", reply));

  const exact = at(prompt.length + whole.length);
  expect([exact.row!.completion_ids, exact.why === null && exact.truncated]).toEqual([whole, false]);
  const shorter = at(prompt.length + whole.length - 1);
  expect([shorter.row!.completion_ids, shorter.why === null && shorter.truncated]).toEqual([whole.slice(0, -1), true]);
  expect(at(prompt.length + 1).row!.completion_ids).toEqual(whole.slice(0, 1));
  expect(at(prompt.length)).toEqual({ row: null, why: "too_long" });
  expect(at(1)).toEqual({ row: null, why: "too_long" });
});

test("a pair has one prompt and two completions; the same tokens twice are no pair, also when only the cut made them so", () => {
  const { row } = encoder().encode("dpo", dpo("One", "Two"));
  expect(row).toMatchObject({
    line: 7,
    chosen_ids: [tokenizer.idOf("One"), TINY.im_end],
    rejected_ids: [tokenizer.idOf("Two"), TINY.im_end],
  });
  expect(encoder().encode("dpo", dpo("One", "One"))).toEqual({ row: null, why: "identical" });
  const length = row!.prompt_ids.length + 1;
  expect(encoder(chatml, length).encode("dpo", dpo("One two", "One three"))).toEqual({ row: null, why: "identical" });
  expect(encoder(chatml, length - 1).encode("dpo", dpo("One", "Two"))).toEqual({ row: null, why: "too_long" });
});

test("rows with the same prompt share its ids", () => {
  const shared = encoder();
  const [first, second] = ["One", "Two"].map((reply) => shared.encode("sft", sft("hello", reply)).row!);
  expect(first!.prompt_ids).toBe(second!.prompt_ids);
});

test.each<[string, string, () => unknown]>([
  ["completion_empty", 'rows.jsonl:7: "completion" is empty', () => encoder().encode("sft", sft("hello", ""))],
  ["completion_empty", 'rows.jsonl:7: "rejected_response" is empty', () => encoder().encode("dpo", dpo("One", ""))],
  [
    "prompt_empty",
    "rows.jsonl:7: the prompt has no token",
    () => encoder(plainTemplate("m")).encode("sft", sft("", "One")),
  ],
  [
    "template_failed",
    "rows.jsonl:7: chat_template.jinja: the chat template refuses the conversation: too short",
    () =>
      encoder(template("{% if messages[0].content == 'secret' %}{{ raise_exception('too short') }}{% endif %}")).encode(
        "sft",
        sft("secret", "One"),
      ),
  ],
])("%s names file and line: %s", (code, message, run) => {
  expect(run).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message), exit_code: 2 }));
});

test("a data set is encoded in its order, and what was left out or cut is counted with its lines", async () => {
  const path = join(root, "rows.jsonl");
  const rows = [
    ...Array.from({ length: 7 }, () => dpo("One", "One").row),
    dpo("One", "Two").row,
    dpo("One", "Two", "a very long prompt of a great many bytes").row,
    dpo("One two three", "No").row,
  ];
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const prompt = encoder().encode("dpo", dpo("One", "Two")).row!.prompt_ids;
  const max_length = prompt.length + 3;

  const { rows: encoded, report } = await encodeDataset("dpo", { tokenizer, template: chatml, max_length, path });
  expect(encoded.map((row) => row.line)).toEqual([8, 10]);
  expect(report).toEqual({
    path,
    rows: 10,
    used: 2,
    too_long: { count: 1, lines: [9] },
    identical: { count: 7, lines: [1, 2, 3, 4, 5] },
    truncated: { count: 1, lines: [10] },
  });
  expect(describeLeftOut(report, max_length)).toEqual([
    `1 row left out: the prompt alone has ${max_length} tokens or more (line 9)`,
    "7 rows left out: chosen and rejected are the same tokens (lines 1, 2, 3, 4, 5, ...)",
    `1 row used with a completion cut at ${max_length} tokens (line 10)`,
  ]);
});

test("a data set of which nothing can be used is an error that says why", async () => {
  const path = join(root, "unusable.jsonl");
  await writeFile(path, `${JSON.stringify(dpo("One", "One").row)}\n`);
  await expect(encodeDataset("dpo", { tokenizer, template: chatml, max_length: 1000, path })).rejects.toMatchObject({
    code: "dataset_unusable",
    where: path,
    what: "none of the 1 rows can be trained on: 1 row left out: chosen and rejected are the same tokens (line 1)",
    fix: "collect pairs whose replies differ",
  });
  await expect(encodeDataset("dpo", { tokenizer, template: chatml, max_length: 3, path })).rejects.toMatchObject({
    code: "dataset_unusable",
    fix: expect.stringContaining("max_length"),
  });
});
