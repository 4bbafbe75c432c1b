import { expect, test } from "vitest";
import { chooseOnce, modelNamed } from "./__fixtures__/choose-once.ts";
import { instrumentModel } from "./instrument.ts";

/** Two candidates by one call, one by itself, three by one call. */
const GROUPS = [2, 1, 3];

test("candidates drawn together are those drawn apart: the same places and seeds, one call for each group", async () => {
  const calls: number[][] = [];
  const apart = await chooseOnce({ candidates: 6, sample: (_, { index, seed }) => `${index} by ${seed}` });
  const together = await chooseOnce({
    candidates: 6,
    sample: () => "alone",
    together: {
      sizes: GROUPS,
      async sample(_, slots) {
        calls.push(slots.map(({ index }) => index));
        return slots.map(({ index, seed }) => `${index} by ${seed}`);
      },
    },
  });

  expect(calls).toEqual([[0, 1], [2], [3, 4, 5]]);
  const drawn = ({ turn }: typeof apart) => turn?.candidates.map(({ text, seed }) => [text, seed]);
  expect(drawn(together)).toEqual(drawn(apart));
});

test("a group's calls are recorded once, with the candidates they are for, and counted once", async () => {
  const model = instrumentModel(modelNamed("m"));
  const { run, turn } = await chooseOnce({
    candidates: 3,
    sample: () => "alone",
    together: {
      sizes: [3],
      async sample(asked, slots) {
        const { choices } = await model.chat(asked, { n: 3, seeds: slots.map(({ seed }) => seed) });
        return slots.map(() => choices[0]!.text);
      },
    },
  });

  const starts = run.steps.filter(({ payload }) => payload.event_type === "LLM_START");
  expect(starts.map(({ payload }) => payload.tags)).toEqual([["turn 0, candidates 0 to 2"]]);
  expect(run.usage.llm_calls).toBe(1);
  expect(turn?.candidates.map(({ model, usage }) => [model, usage.llm_calls])).toEqual([
    ["m", 1],
    ["m", 0],
    ["m", 0],
  ]);
});

test("a group that fails costs its own candidates, a bad reply in it that one alone", async () => {
  const { turn } = await chooseOnce({
    candidates: 6,
    sample: () => "alone",
    together: {
      sizes: GROUPS,
      async sample(_, slots) {
        if (slots[0]?.index === 0) throw new Error("the line is dead");
        return slots.map(({ index }) =>
          index === 4 ? (17 as never) : index === 5 ? ["first", "then"] : `reply ${index}`,
        );
      },
    },
  });

  expect(turn?.candidates.map(({ text, error }) => error?.message ?? text)).toEqual([
    "the line is dead",
    "the line is dead",
    "reply 2",
    "reply 3",
    expect.stringContaining("sample gave number"),
    "first",
    "then",
  ]);
});

test("groups that do not add up, or a result too few, are told", async () => {
  const sample = async () => ["only one"];
  const wrong = await chooseOnce({ candidates: 4, together: { sizes: [2, 1], sample } });
  expect(wrong.run.error).toMatchObject({
    code: "bad_sizes",
    message: expect.stringContaining("[2, 1] does not add up to the 4 candidates"),
  });
  const few = await chooseOnce({ candidates: 3, together: { sizes: [1, 2], sample } });
  expect(few.turn?.candidates.map(({ error }) => error?.message)).toEqual([
    undefined,
    expect.stringContaining("1 results for 2 slots"),
    expect.stringContaining("1 results for 2 slots"),
  ]);
});

test("policy-only draws its candidate alone", async () => {
  const sample = async () => {
    throw new Error("not asked");
  };
  const { turn } = await chooseOnce({ candidates: 6, together: { sizes: GROUPS, sample } }, { policy_only: true });
  expect(turn?.candidates.map(({ text }) => text)).toEqual(["reply 0"]);
});
