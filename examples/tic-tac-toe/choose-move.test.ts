import type { ChatOptions, Completion, Message, Slot } from "pairwright";
import { expect, test } from "vitest";
import { type Board, EMPTY_BOARD } from "./board.ts";
import { askForMove, askForMoves, attemptSeed, type ChooseMoveInput, chooseMove, randomMove } from "./choose-move.ts";
import { movePrompt, parseMove } from "./prompt.ts";

const BOARD: Board = [
  [1, 0, 0],
  [0, -1, 0],
  [0, 0, 0],
];
const PROMPT = movePrompt({ board: BOARD, player: 1 });
const LEGAL = "<move><row>3</row><col>3</col></move>";
const TAKEN = "<move><row>1</row><col>1</col></move>";

function input(random = () => 0): ChooseMoveInput {
  return { board: BOARD, player: 1, prompt: PROMPT, seed: 77, random, signal: new AbortController().signal };
}

/** Answers with the given texts in turn, and keeps what it was asked. */
function model(...texts: (string | Error)[]) {
  const calls: { messages: Message[]; options: ChatOptions | undefined }[] = [];
  return {
    calls,
    async chat(messages: readonly Message[], options?: ChatOptions): Promise<Completion> {
      calls.push({ messages: [...messages], options });
      const text = texts[calls.length - 1];
      if (text === undefined || text instanceof Error) throw text ?? new Error("asked too often");
      const message: Message = { role: "assistant", content: text, reasoning: "hm" };
      const choice = { message, text, finish_reason: "stop", refusal: false };
      const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2, llm_calls: 1 };
      return { ...choice, choices: [choice], model: "m", usage, cached: false };
    },
  };
}

test("a legal reply is the only sample, with the prompt that it answers", async () => {
  const samples = await askForMove(model(LEGAL), input(), { max_retries: 2 });

  expect(samples).toEqual([
    {
      messages: [{ role: "assistant", content: LEGAL, reasoning: "hm" }],
      text: LEGAL,
      prompt: PROMPT,
      value: { row: 3, col: 3 },
      finish_reason: "stop",
      reason: undefined,
    },
  ]);
});

test("bad replies are kept, and each retry is asked with the conversation so far", async () => {
  const { chat, calls } = model(TAKEN, "the corner", LEGAL);
  const samples = await askForMove({ chat }, input(), { max_retries: 2, temperature: 0.7 });

  expect(samples.map(({ value }) => value)).toEqual([{ row: 1, col: 1 }, undefined, { row: 3, col: 3 }]);
  expect(samples.map(({ reason }) => reason)).toEqual([
    "row 1, column 1 is taken by X",
    expect.stringContaining("no move of the form"),
    undefined,
  ]);
  expect(samples.map(({ prompt }) => prompt)).toEqual(calls.map(({ messages }) => messages));
  expect(samples.map(({ prompt }) => prompt?.map(({ role }) => role))).toEqual([
    ["system", "user"],
    ["system", "user", "assistant", "user"],
    ["system", "user", "assistant", "user", "assistant", "user"],
  ]);
  expect(samples[1]?.prompt?.[2]).toEqual({ role: "assistant", content: TAKEN });
  expect(samples[1]?.prompt?.[3]?.content).toContain("row 1, column 1 is taken by X");
  expect(calls.map(({ options }) => options?.temperature)).toEqual([0.7, 0.7, 0.7]);
});

test("no sample's prompt ends with its own answer", async () => {
  const samples = await askForMove(model(TAKEN, "<move><row>9</row><col>1</col></move>", "?"), input(), {
    max_retries: 2,
  });

  expect(samples).toHaveLength(3);
  for (const { prompt, text } of samples) {
    expect(prompt?.at(-1)?.role).toBe("user");
    expect(prompt?.map(({ content }) => content)).not.toContain(text);
  }
});

test("when the retries are used up, the last bad reply is the answer", async () => {
  const { chat, calls } = model(TAKEN, TAKEN);
  const samples = await askForMove({ chat }, input(), { max_retries: 1 });

  expect(calls).toHaveLength(2);
  expect(samples.at(-1)).toMatchObject({ value: { row: 1, col: 1 }, reason: "row 1, column 1 is taken by X" });
});

test("each try has a seed of its own that follows from the candidate's", async () => {
  const { chat, calls } = model(TAKEN, TAKEN, LEGAL);
  await askForMove({ chat }, input(), { max_retries: 2 });

  const seeds = calls.map(({ options }) => options?.seed);
  expect(seeds).toEqual([77, attemptSeed(77, 1), attemptSeed(77, 2)]);
  expect(new Set(seeds).size).toBe(3);
  expect(attemptSeed(77, 1)).not.toBe(attemptSeed(78, 1));
  for (let seed = 0; seed < 100; seed += 1) {
    expect(attemptSeed(seed, 1)).toBeGreaterThanOrEqual(0);
    expect(attemptSeed(seed, 1)).toBeLessThan(2 ** 31);
  }
});

test("a call that fails ends the slot, and the bad replies before it are kept", async () => {
  const down = new Error("down");
  expect(await askForMove(model(down), input(), { max_retries: 2 })).toEqual([{ prompt: PROMPT, error: down }]);

  const kept = await askForMove(model(TAKEN, down), input(), { max_retries: 2 });
  expect(kept).toEqual([expect.objectContaining({ text: TAKEN }), expect.objectContaining({ error: down })]);
});

test("moves asked for together are one request, bad replies are asked again each by itself, and so is a slot without one", async () => {
  const calls: (ChatOptions | undefined)[] = [];
  const chat = async (messages: readonly Message[], options?: ChatOptions): Promise<Completion> => {
    calls.push(options);
    const texts = options?.seeds ? [LEGAL, TAKEN] : [LEGAL];
    const choices = texts.map((text) => ({
      ...{ message: { role: "assistant" as const, content: text }, text, finish_reason: "stop", refusal: false },
    }));
    const usage = { prompt_tokens: messages.length, completion_tokens: 1, total_tokens: 2, llm_calls: 1 };
    return { ...choices[0]!, choices, model: "m", usage, cached: false };
  };
  const slots = [1, 2, 3].map((seed) => ({ seed, random: () => 0 })) as unknown as Slot[];
  const samples = await askForMoves({ chat }, input(), slots, { max_retries: 1, temperature: 0.5 });

  expect(samples.map((tries) => tries.map(({ text }) => text))).toEqual([[LEGAL], [TAKEN, LEGAL], [LEGAL]]);
  expect(samples[1]?.[1]?.prompt).toHaveLength(4);
  expect(calls).toMatchObject([{ n: 3, seeds: [1, 2, 3], temperature: 0.5 }, { seed: attemptSeed(2, 1) }, { seed: 3 }]);
});

test("without a model every legal move is as likely, by the slot's own chance, and written as replies are", () => {
  const texts = Array.from({ length: 7 }, (_, at) => randomMove(input(() => at / 7)).text ?? "");

  expect(texts.map((text) => parseMove(text).move)).toEqual([
    { row: 1, col: 2 },
    { row: 1, col: 3 },
    { row: 2, col: 1 },
    { row: 2, col: 3 },
    { row: 3, col: 1 },
    { row: 3, col: 2 },
    { row: 3, col: 3 },
  ]);
  expect(texts[0]).toBe("<move>\n  <row>1</row>\n  <col>2</col>\n</move>");
  expect(randomMove({ board: EMPTY_BOARD, prompt: PROMPT, random: () => 0.999 })).toEqual({
    text: "<move>\n  <row>3</row>\n  <col>3</col>\n</move>",
    prompt: PROMPT,
    value: { row: 3, col: 3 },
    // Code, not a model: pairs of policy candidates leave it out.
    model: null,
  });
});

test("the options' defaults: no model, two retries; null is no model", () => {
  expect(chooseMove.options.parse({})).toEqual({ max_retries: 2 });
  expect(chooseMove.options.parse({ llm: null })).toEqual({ llm: null, max_retries: 2 });
  expect(chooseMove.options.safeParse({ max_retires: 1 }).success).toBe(false);
});
