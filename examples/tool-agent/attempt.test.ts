import { type Message, PairwrightError, type RunContext } from "pairwright";
import { scriptedModel } from "pairwright/testing";
import { expect, test } from "vitest";
import { attempt } from "./attempt.ts";
import { agentTools } from "./tools.ts";

type Script = Parameters<typeof scriptedModel>[0];

const PROMPT: Message[] = [{ role: "user", content: "Three rye loaves?" }];
const TOOLS = agentTools([{ name: "rye loaf", value: 3.4, unit: "euros each" }]);

function call(id: string, name: string, given: unknown) {
  const text = typeof given === "string" ? given : JSON.stringify(given);
  return { id, type: "function" as const, function: { name, arguments: text } };
}

async function run(script: Script, max_steps = 8) {
  const model = scriptedModel(script);
  const stretch: Message[] = [];
  const spans: unknown[][] = [];
  const span: RunContext["span"] = async (category, name, input, work) => {
    const output = await work();
    spans.push([category, name, input, output]);
    return output;
  };
  const { signal } = new AbortController();
  const outcome = await attempt(PROMPT, stretch, { model, tools: TOOLS, max_steps, seed: 7, signal, span });
  return { outcome, stretch, spans, calls: model.calls };
}

test("results go back to the model until it answers, and the stretch holds all that was said", async () => {
  const { outcome, stretch, spans, calls } = await run([
    { tool_calls: [call("a", "look_up", { name: "rye loaf" }), call("b", "calculate", { expression: "1 + 1" })] },
    { content: "Now the sum.", tool_calls: [call("c", "calculate", { expression: "3 * 3.4" })] },
    "Answer: 10.2",
  ]);

  expect(outcome).toEqual({
    text: "Answer: 10.2",
    finish_reason: "stop",
    answered: true,
    refused: false,
    steps: 3,
    tool_calls: 3,
    tool_errors: 0,
  });
  expect(stretch.map(({ role, content, tool_call_id }) => [role, content, tool_call_id])).toEqual([
    ["assistant", "", undefined],
    ["tool", "rye loaf: 3.4 euros each", "a"],
    ["tool", "2", "b"],
    ["assistant", "Now the sum.", undefined],
    ["tool", "10.2", "c"],
    ["assistant", "Answer: 10.2", undefined],
  ]);
  expect(spans).toEqual([
    ["TOOL", "look_up", '{"name":"rye loaf"}', "rye loaf: 3.4 euros each"],
    ["TOOL", "calculate", '{"expression":"1 + 1"}', "2"],
    ["TOOL", "calculate", '{"expression":"3 * 3.4"}', "10.2"],
  ]);
  // Each call saw what had been said by then, and was told of the tools.
  expect(calls.map(({ messages }) => messages)).toEqual([
    PROMPT,
    [...PROMPT, ...stretch.slice(0, 3)],
    [...PROMPT, ...stretch.slice(0, 5)],
  ]);
  for (const { options } of calls) {
    expect(options.tools?.map((tool) => tool.function.name)).toEqual(["calculate", "look_up"]);
    expect(options.seed).toBe(7);
  }
});

test("a tool that is not there and arguments that are not JSON are told to the model, which may mend them", async () => {
  const { outcome, stretch } = await run([
    { tool_calls: [call("a", "web_search", { query: "rye" }), call("b", "calculate", "{expression: 1")] },
    "Answer: 10.2",
  ]);

  expect(outcome).toMatchObject({ answered: true, tool_calls: 2, tool_errors: 2 });
  expect(stretch.slice(1, 3)).toEqual([
    { role: "tool", tool_call_id: "a", content: expect.stringContaining('error: there is no tool "web_search"') },
    { role: "tool", tool_call_id: "b", content: "error: the arguments are not JSON" },
  ]);
});

test("an attempt that only ever calls tools ends after max_steps calls of the model, without an answer", async () => {
  const { outcome, stretch, calls } = await run(
    () => ({ content: "One more, Answer: 1", tool_calls: [call("a", "calculate", { expression: "1" })] }),
    3,
  );

  expect(calls).toHaveLength(3);
  expect(outcome).toMatchObject({ text: "", answered: false, steps: 3, tool_calls: 2 });
  expect(stretch.map(({ role }) => role)).toEqual(["assistant", "tool", "assistant", "tool", "assistant"]);
});

test("calls without ids get ids of their own, so that each result names its call", async () => {
  const bare = { type: "function" as const, function: { name: "calculate", arguments: '{"expression":"1"}' } };
  const { stretch } = await run([{ tool_calls: [bare, bare] }, { tool_calls: [bare] }, "Answer: 1"]);

  const asked = stretch.flatMap(({ tool_calls = [] }) => tool_calls.map(({ id }) => id));
  expect(new Set(asked).size).toBe(3);
  expect(stretch.flatMap(({ role, tool_call_id }) => (role === "tool" ? [tool_call_id] : []))).toEqual(asked);
});

test("a reply that was cut off or refused is an answer, and says so", async () => {
  expect((await run([{ text: "The sum is", finish_reason: "length" }])).outcome).toMatchObject({
    text: "The sum is",
    finish_reason: "length",
    answered: true,
  });
  expect((await run([{ text: "No.", refusal: true }])).outcome).toMatchObject({ refused: true, answered: true });
});

test("a model that cannot be reached fails the attempt", async () => {
  const down = new PairwrightError({ code: "llm_unreachable", what: "down" });
  await expect(run([{ tool_calls: [call("a", "calculate", { expression: "1" })] }, down])).rejects.toBe(down);
});
