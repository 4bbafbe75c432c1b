import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { Message, Tool } from "../records/message.ts";
import { TINY_TEMPLATE } from "./__fixtures__/tiny-tokenizer.ts";
import { createChatTemplate, plainTemplate } from "./chat-template.ts";

/** Made with jinja2 3.1.6 in the environment of `transformers` by `__fixtures__/make-reference-templates.py`. */
interface Reference {
  now: [number, number, number, number, number, number];
  special_tokens: Record<string, string>;
  tools: Tool[];
  templates: Record<string, string>;
  conversations: (Omit<Message, "tool_calls"> & { reasoning_content?: string; tool_calls?: unknown[] })[][];
  cases: {
    template: string;
    conversation: number;
    tools: boolean;
    add_generation_prompt: boolean;
    text?: string;
    refused?: string;
  }[];
}

const reference: Reference = JSON.parse(
  await readFile(new URL("__fixtures__/reference-templates.json", import.meta.url), "utf8"),
);
const [year, month, ...rest] = reference.now;
const clock = { now: () => new Date(year, month - 1, ...rest).getTime() };
const source = { where: "chat_template.jinja", special_tokens: reference.special_tokens, clock };

/** The reference's conversations hold what a template reads; ours hold the arguments of calls as JSON text. */
function messagesOf(conversation: Reference["conversations"][number]): Message[] {
  return conversation.map(({ reasoning_content, tool_calls, ...message }) => ({
    ...message,
    ...(reasoning_content === undefined ? {} : { reasoning: reasoning_content }),
    ...(tool_calls === undefined ? {} : { tool_calls: tool_calls.map(asText) }),
  }));
}

function asText(call: unknown): NonNullable<Message["tool_calls"]>[number] {
  const { function: called, ...others } = call as { function: { name: string; arguments: unknown } };
  const text = typeof called.arguments === "string" ? called.arguments : JSON.stringify(called.arguments);
  return { ...others, type: "function", function: { ...called, arguments: text } };
}

test("there are six templates, ten conversations and 240 cases of the reference, twelve of them refused", () => {
  expect(Object.keys(reference.templates)).toHaveLength(6);
  expect(reference.conversations).toHaveLength(10);
  expect(reference.cases).toHaveLength(240);
  expect(reference.cases.filter((each) => each.refused !== undefined)).toHaveLength(12);
});

test.each(Object.keys(reference.templates))("%s: texts and refusals are the reference's", (name) => {
  const template = createChatTemplate({ ...source, template: reference.templates[name] as string });
  const cases = reference.cases.filter((each) => each.template === name);
  for (const { conversation, tools, add_generation_prompt, text, refused } of cases) {
    const render = () =>
      template.render(messagesOf(reference.conversations[conversation]!), {
        add_generation_prompt,
        ...(tools ? { tools: reference.tools } : {}),
      });
    if (text === undefined) {
      expect(render).toThrow(
        expect.objectContaining({ code: "template_failed", what: expect.stringContaining(refused!) }),
      );
    } else {
      expect(render()).toBe(text);
    }
  }
  expect(cases).toHaveLength(40);
});

const user = (content: Message["content"]): Message => ({ role: "user", content });
const made = (template: string) => createChatTemplate({ ...source, template });

test("a template for tools is used when there are tools, and only then", () => {
  const template = createChatTemplate({ ...source, template: "plain", tool_use: "{{ tools | length }} tools" });
  expect(template.render([user("a")])).toBe("plain");
  expect(template.render([user("a")], { tools: reference.tools })).toBe("1 tools");
  expect(made(TINY_TEMPLATE).render([user("a")], { tools: reference.tools })).toContain('"name": "get_weather"');
});

test("text parts become one text, and a part that is no text is an error", () => {
  const template = made(TINY_TEMPLATE);
  const parts = [
    { type: "text", text: "a" },
    { type: "text", text: "b" },
  ];
  expect(template.render([user(parts)])).toBe("<|im_start|>user\nab<|im_end|>\n");
  expect(() => template.render([user([...parts, { type: "image_url" }])])).toThrow(
    expect.objectContaining({ code: "content_unsupported", where: "chat_template.jinja" }),
  );
});

test("ends of lines are newlines, however the file writes them, and generation blocks are seen through", () => {
  const unix = made(
    "{% for m in messages %}\n{% generation %}\n{{ m.content }}\n{% endgeneration %}\n{% endfor %}\nend\n",
  );
  const windows = made(
    "{% for m in messages %}\r\n{% generation %}\r\n{{ m.content }}\r\n{% endgeneration %}\r\n{% endfor %}\r\nend\r\n",
  );
  expect(windows.render([user("a")])).toBe(unix.render([user("a")]));
  expect(unix.render([user("a")])).toBe("a\nend");
});

test("the date is the given clock's", () => {
  expect(made("{{ strftime_now('%Y-%m-%d') }}").render([])).toBe("2024-07-04");
});

test("a template that throws is one error with its own words, and no word of the prompt", () => {
  const refuses = made("{{ raise_exception('no ' + messages[0].role + ' here') }}");
  const failure = (render: () => unknown) => {
    try {
      render();
    } catch (error) {
      return error;
    }
    return undefined;
  };
  expect(failure(() => refuses.render([user("secret")]))).toMatchObject({
    code: "template_failed",
    message: "chat_template.jinja: the chat template refuses the conversation: no user here",
    exit_code: 2,
  });
  const breaks = made("{{ messages[0].content.nothing() }}{{ messages[0].content + none }}");
  expect(failure(() => breaks.render([user("secret")]))).toMatchObject({
    code: "template_failed",
    what: expect.stringContaining("the chat template stopped: "),
  });
  expect(JSON.stringify(failure(() => breaks.render([user("secret")])))).not.toContain("secret");
  const long = made("{{ raise_exception(messages[0].content) }}");
  expect((failure(() => long.render([user("x".repeat(5000))])) as Error).message.length).toBeLessThan(300);
});

test("a template that is no Jinja is told when it is made", () => {
  expect(() => made("{% for m in %}")).toThrow(
    expect.objectContaining({ code: "template_broken", where: source.where }),
  );
});

test("the plain template is the texts, one a line", () => {
  const plain = plainTemplate("/model");
  expect(plain.kind).toBe("plain");
  expect(plain.render([user("a")], { add_generation_prompt: true })).toBe("a");
  expect(plain.render([user("a"), { role: "assistant", content: "b" }])).toBe("a\nb");
});
