import { expect, test } from "vitest";
import { z } from "zod";
import type { Message, ToolCall } from "../records/message.ts";
import { createRegistry } from "../registry/registry.ts";
import { scriptedModel } from "./scripted-model.ts";

const QUESTION: Message[] = [{ role: "user", content: "two and two?" }];
const CALL: ToolCall = { id: "1", type: "function", function: { name: "add", arguments: "{}" } };

test("says its answers in order, in every form that an answer may have", async () => {
  const model = scriptedModel([
    "four",
    { role: "assistant", content: "IV", reasoning: "Roman" },
    { text: "fo", finish_reason: "length" },
    { tool_calls: [CALL] },
    { text: "No.", refusal: true, usage: { completion_tokens: 9, cost: 0.5 } },
  ]);
  const ask = () => model.chat(QUESTION);

  expect(await ask()).toMatchObject({ text: "four", finish_reason: "stop", refusal: false, cached: false });
  expect(await ask()).toMatchObject({ text: "IV", message: { content: "IV", reasoning: "Roman" } });
  expect(await ask()).toMatchObject({ text: "fo", finish_reason: "length" });
  expect(await ask()).toMatchObject({ text: "", finish_reason: "tool_calls", message: { tool_calls: [CALL] } });
  expect(await ask()).toMatchObject({ refusal: true, usage: { completion_tokens: 9, cost: 0.5, llm_calls: 1 } });
});

test("throws the errors in its script, and says so when the script has ended", async () => {
  const model = scriptedModel([new Error("planned")]);

  await expect(model.chat(QUESTION)).rejects.toThrow("planned");
  await expect(model.chat(QUESTION)).rejects.toMatchObject({ code: "script_ended" });
});

test("a function answers by what was asked; the calls are noted as they were", async () => {
  const model = scriptedModel((messages, { seed }) => `${messages.length}/${seed}`);
  const messages = [...QUESTION];

  const completion = await model.chat(messages, { seed: 7 });
  messages.push({ role: "assistant", content: completion.text });

  expect(completion.text).toBe("1/7");
  expect(model.calls).toEqual([{ messages: QUESTION, options: { seed: 7 } }]);
});

test("n takes n answers as the choices of one call", async () => {
  const { choices, usage } = await scriptedModel(["aaaa", "bbbb"]).chat(QUESTION, { n: 2 });

  expect(choices.map((choice) => choice.text)).toEqual(["aaaa", "bbbb"]);
  expect(usage).toEqual({ prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, llm_calls: 1 });
});

test("an aborted signal ends the call with its reason", async () => {
  await expect(scriptedModel(["a"]).chat(QUESTION, { signal: AbortSignal.abort("over") })).rejects.toBe("over");
});

test("a plugin can register it as a model type", () => {
  const registry = createRegistry();
  const model = scriptedModel(["a"], { name: "double" });

  registry.llm("scripted", { options: z.strictObject({}), build: () => model });

  expect(registry.find("llm", "scripted")?.type).toBe("scripted");
  expect(model).toMatchObject({ name: "double", model_name: "double" });
});
