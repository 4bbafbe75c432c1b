import { expect, test } from "vitest";
import { convertRow, parsePromptTemplate } from "./dataset-row.ts";

const PLAIN = parsePromptTemplate("{prompt} {completion}");
const convert = (value: unknown, method: "sft" | "dpo" = "sft", template = PLAIN) => {
  if (template === undefined) throw new Error("no template");
  return convertRow(value, method, template);
};

test("rows of the two methods are what they are", () => {
  const pair = { prompt: "p", chosen_response: "a", rejected_response: "b" };
  expect(convert(pair, "dpo")).toEqual({ rows: [pair] });
  expect(convert({ prompt: "p", completion: "c" })).toEqual({ rows: [{ prompt: "p", completion: "c" }] });
  expect(convert(pair)).toEqual({ problem: expect.stringContaining("this is a row for dpo") });
});

test("a conversation is a row for each reply, with all that went before it", () => {
  const messages = [
    { role: "system", content: "s" },
    { role: "user", content: "u1" },
    { role: "assistant", content: "a1" },
    { role: "user", content: "u2" },
    { role: "assistant", content: "a2" },
  ];
  const rows = [
    { prompt: messages.slice(0, 2), completion: "a1" },
    { prompt: messages.slice(0, 4), completion: "a2" },
  ];
  expect(convert({ messages })).toEqual({ rows });
  const turns = messages
    .slice(1)
    .map(({ role, content }) => ({ from: role === "user" ? "User" : "Assistant", value: content }));
  expect(convert({ system: "s", conversations: turns })).toEqual({ rows });
});

test("arguments of calls, which the services keep as objects, are text for a template, and missing content is empty", () => {
  const call = { type: "function", function: { name: "add", arguments: { a: 1 } } };
  const prompt = [
    { role: "user", content: "u" },
    { role: "assistant", content: null, tool_calls: [call] },
    { role: "tool", content: "1" },
  ];
  const converted = convert({ prompt, chosen_response: "a", rejected_response: "b" }, "dpo");
  expect(converted).toMatchObject({
    rows: [{ prompt: [{}, { content: "", tool_calls: [{ function: { name: "add", arguments: '{"a":1}' } }] }, {}] }],
  });
});

test("what cannot be learnt is named by its key", () => {
  const call = { type: "function", function: { name: "add", arguments: {} } };
  const user = { role: "user", content: "u" };
  const problems: [unknown, string][] = [
    [{ messages: [user, { role: "assistant", tool_calls: [call] }] }, '"messages.1.tool_calls"'],
    [{ messages: [user] }, "no message of the assistant"],
    [{ messages: [] }, "must be a list of messages"],
    [{ messages: [{ role: "assistant", content: "a" }] }, '"messages.0": a reply has nothing before it'],
    [{ messages: [user, { role: "assistant" }] }, '"messages.1.content"'],
    [
      {
        messages: [
          { role: "robot", content: "u" },
          { role: "assistant", content: "a" },
        ],
      },
      '"messages.0.role"',
    ],
    [{ messages: [user, { role: "assistant", content: "a" }], tools: [] }, '"tools"'],
    [{ messages: [user, { role: "assistant", content: "a" }], reward: 1 }, '"reward" is not known'],
    [{ query: "q", pos_doc: "d", neg_doc: [] }, "embedding model"],
    [[], "this line is no object"],
    [null, "this line is no object"],
    [{ prompt: 5, completion: "c" }, '"prompt" must be a text or a list of messages'],
  ];
  for (const [value, problem] of problems)
    expect(convert(value)).toEqual({ problem: expect.stringContaining(problem) });
  expect(problems).toHaveLength(12);
});

test("a template has two placeholders; what stands around them belongs to prompt and reply", () => {
  const template = parsePromptTemplate("Q: {question}\nA: {answer}.");
  expect(convert({ question: "why?", answer: "so" }, "sft", template)).toEqual({
    rows: [{ prompt: "Q: why?\nA:", completion: "so." }],
  });
  expect(convert({ question: "why?" }, "sft", template)).toEqual({
    problem: '"answer" is missing; the prompt template names it',
  });
  expect(["{one}", "one two", "{a} {b} {c}", "{a {b}", ""].map(parsePromptTemplate)).toEqual(Array(5).fill(undefined));
});
