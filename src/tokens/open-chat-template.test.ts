import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTinyTokenizer } from "./__fixtures__/tiny-tokenizer.ts";
import { openChatTemplate } from "./open-chat-template.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "pairwright-template-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let made = 0;
/** A folder with these files and no others. */
async function folder(files: Record<string, string>): Promise<string> {
  made += 1;
  const dir = join(root, String(made));
  await mkdir(dir);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  }
  return dir;
}
const config = (value: unknown) => ({ "tokenizer_config.json": JSON.stringify(value) });
const messages = [{ role: "user" as const, content: "hi" }];
const tools = [{ type: "function" as const, function: { name: "f" } }];

test("a file of its own comes before the configuration, and special tokens are known to both", async () => {
  const dir = await folder({
    ...config({ chat_template: "old", bos_token: { content: "<s>" }, eos_token: "</s>" }),
    "chat_template.jinja": "{{ bos_token }}new{{ eos_token }}{{ pad_token }}",
  });
  const template = await openChatTemplate(dir);
  expect([template.kind, template.where]).toEqual(["jinja", join(dir, "chat_template.jinja")]);
  expect(template.render(messages)).toBe("<s>new</s>");
});

test("the configuration holds one template, or a list of named ones", async () => {
  const one = await folder(config({ chat_template: "{{ messages[0].content }}!" }));
  expect((await openChatTemplate(one)).render(messages)).toBe("hi!");

  const named = [
    { name: "tool_use", template: "with tools" },
    { name: "default", template: "without" },
  ];
  const list = await openChatTemplate(await folder(config({ chat_template: named })));
  expect([list.render(messages), list.render(messages, { tools })]).toEqual(["without", "with tools"]);

  const files = await folder({ "chat_template.jinja": "a", "additional_chat_templates/tool_use.jinja": "b" });
  const both = await openChatTemplate(files);
  expect([both.render(messages), both.render(messages, { tools })]).toEqual(["a", "b"]);
});

test("a folder without a template says so, or gives the plain one when asked", async () => {
  const dir = await folder(config({ eos_token: "</s>" }));
  await expect(openChatTemplate(dir)).rejects.toMatchObject({
    code: "template_missing",
    where: dir,
    what: expect.stringContaining("no chat template"),
    exit_code: 2,
  });
  const plain = await openChatTemplate(dir, { or_plain: true });
  expect([plain.kind, plain.render(messages)]).toEqual(["plain", "hi"]);
});

test("a list without a default, and a template that is no Jinja, name the file", async () => {
  const list = await folder(config({ chat_template: [{ name: "rag", template: "" }] }));
  await expect(openChatTemplate(list)).rejects.toMatchObject({
    code: "template_missing",
    where: join(list, "tokenizer_config.json"),
    what: expect.stringContaining('"rag"'),
  });
  const broken = await folder({ "chat_template.jinja": "{% if %}" });
  await expect(openChatTemplate(broken, { or_plain: true })).rejects.toMatchObject({
    code: "template_broken",
    where: join(broken, "chat_template.jinja"),
  });
});

test("the tiny tokenizer's folder has its template", async () => {
  const dir = join(root, "tiny");
  await writeTinyTokenizer(dir);
  const template = await openChatTemplate(dir);
  expect(template.render(messages, { add_generation_prompt: true })).toBe(
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
  );
});
