import { expect, test } from "vitest";
import type { Completion as Reply, Slot } from "../../index.ts";
import type { ChatOptions, Completion } from "../../registry/chat-model.ts";
import { chatTogether } from "./chat-together.ts";

const PROMPT = [{ role: "user" as const, content: "why?" }];
const SLOTS = [3, 4, 5].map((index) => ({ index, seed: 10 * index })) as unknown as Slot[];

/** Gives at most `most` replies, each naming its seed; a lone call with a seed of `fails` throws. */
function model(most: number, fails = -1) {
  const calls: (ChatOptions | undefined)[] = [];
  return {
    calls,
    async chat(_: unknown, options?: ChatOptions): Promise<Completion> {
      calls.push(options);
      if (options?.seed === fails) throw new Error("down");
      const choices = (options?.seeds ?? [options?.seed]).slice(0, most).map((seed) => {
        const text = `by ${seed}`;
        return { message: { role: "assistant" as const, content: text }, text, finish_reason: "stop", refusal: false };
      });
      const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2, llm_calls: 1 };
      return { ...choices[0]!, choices, model: "m", usage, cached: false };
    },
  };
}

const textsOf = (replies: unknown[]) => replies.map((reply) => (reply as Reply).text ?? reply);

test("one request has a seed for each slot, and each slot its own reply", async () => {
  const { chat, calls } = model(9);
  expect(textsOf(await chatTogether({ chat }, PROMPT, SLOTS, { temperature: 0.5 }))).toEqual([
    "by 30",
    "by 40",
    "by 50",
  ]);
  expect(calls).toEqual([{ temperature: 0.5, n: 3, seeds: [30, 40, 50], sample_index: 3 }]);
});

test("a server that gives fewer replies is asked for the others one by one, and a failure is that slot's", async () => {
  const { chat, calls } = model(1, 50);
  const replies = await chatTogether({ chat }, PROMPT, SLOTS, {});
  expect(textsOf(replies)).toEqual(["by 30", "by 40", { error: new Error("down") }]);
  expect(calls.slice(1)).toEqual([
    { seed: 40, sample_index: 4 },
    { seed: 50, sample_index: 5 },
  ]);
});

test("no slots ask nothing", async () => {
  const { chat, calls } = model(1);
  expect(await chatTogether({ chat }, PROMPT, [], {})).toEqual([]);
  expect(calls).toEqual([]);
});
