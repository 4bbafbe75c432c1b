import { expect, test } from "vitest";
import { chooseOnce, modelNamed, play, prompt } from "./__fixtures__/choose-once.ts";
import { instrumentFunction, instrumentModel } from "./instrument.ts";

test("records every candidate with its prompt, score and whether it was taken", async () => {
  const { run, steps } = await chooseOnce({ score: ({ text }) => (text === "reply 1" ? 0.9 : 0.2) });

  expect(run.output).toBe("reply 1");
  expect(
    steps.map(({ data, metadata }) => [data?.candidate_index, data?.output, data?.score, metadata?.is_selected]),
  ).toEqual([
    [0, "reply 0", 0.2, false],
    [1, "reply 1", 0.9, true],
    [2, "reply 2", 0.2, false],
  ]);
  expect(
    steps.every(({ data }) => data?.input === prompt || JSON.stringify(data?.input) === JSON.stringify(prompt)),
  ).toBe(true);
  expect(new Set(steps.map(({ data }) => data?.turn_id)).size).toBe(1);
  expect(steps.every(({ event_type }) => event_type === "TTC_END")).toBe(true);
});

test("the first of equal scores is taken", async () => {
  const { turn } = await chooseOnce({ score: () => 1 });
  expect(turn?.selected.candidate_index).toBe(0);
});

test("seeds and turn ids depend on seed, example, rep, run, turn and candidate, and on nothing else", async () => {
  const seen: number[] = [];
  const sample = (_prompt: unknown, slot: { seed: number }) => {
    seen.push(slot.seed);
    return "x";
  };
  const first = await chooseOnce({ sample });
  const again = await chooseOnce({ sample });
  const otherRep = await chooseOnce({ sample }, { rep: 1 });
  const otherSeed = await chooseOnce({ sample }, { seed: 1 });

  expect(seen.slice(0, 3)).toEqual(seen.slice(3, 6));
  expect(new Set(seen).size).toBe(9);
  expect(seen.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31)).toBe(true);
  expect(first.turn?.turn_id).toBe(again.turn?.turn_id);
  expect(new Set([first, otherRep, otherSeed].map(({ turn }) => turn?.turn_id)).size).toBe(3);
});

test("candidates are sampled at the same time", async () => {
  let waiting = 0;
  let release: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { turn } = await chooseOnce({
    sample: async () => {
      waiting += 1;
      if (waiting === 3) release();
      await all;
      return "x";
    },
  });
  expect(turn?.candidates).toHaveLength(3);
});

test("a call that fails costs its candidate, which is kept with its reason", async () => {
  const { run, steps } = await chooseOnce({
    sample: (_prompt, slot) => {
      if (slot.index === 0) throw new Error("the server fell over");
      return "fine";
    },
    score: () => 1,
  });
  expect(run.status).toBe("completed");
  expect(steps[0]?.data).toMatchObject({ candidate_index: 0, output: null, score: null });
  expect(steps[0]?.metadata).toMatchObject({ error: { message: "the server fell over" }, is_selected: false });
  expect(steps).toHaveLength(3);
});

test("when no candidate could be sampled the turn fails, and its candidates are still recorded", async () => {
  const { run, steps } = await chooseOnce({
    sample: () => {
      throw new Error("down");
    },
  });
  expect(run.status).toBe("failed");
  expect(run.error).toMatchObject({
    code: "turn_failed",
    cause: "sample_failed",
    message: expect.stringContaining("down"),
  });
  expect(steps).toHaveLength(3);
});

test.each([
  [undefined, "sample gave undefined"],
  [7, "sample gave number"],
  [{ txt: "a slip" }, "sample gave neither text nor messages"],
  [{ messages: [{ role: "user", content: "?" }] }, "sample gave messages of which none is the assistant's"],
  [[], "sample gave an empty list of replies"],
])("a sample that is none (%j) costs its candidate, with the reason", async (given, reason) => {
  const { run, steps } = await chooseOnce({
    sample: (_prompt, slot) => (slot.index === 0 ? (given as never) : "fine"),
    score: () => 1,
  });
  expect(run.status).toBe("completed");
  expect(steps[0]?.metadata?.error).toEqual({ code: "bad_sample", message: reason });
});

test("a scorer that forgot to return is a fault, not an unscored candidate", async () => {
  const { steps } = await chooseOnce({
    score: ({ candidate_index }) => (candidate_index === 0 ? (undefined as never) : 1),
  });
  expect(steps[0]?.metadata).toMatchObject({ error: { code: "score_not_finite" } });
});

test("what the sampler and the scorer say of a reply both stay", async () => {
  const { turn } = await chooseOnce({
    candidates: 1,
    sample: () => ({ text: "x", reason: "gave up" }),
    score: () => ({ score: 0, reason: "no match" }),
  });
  expect(turn?.selected.reason).toBe("gave up; no match");
});

test("a selector is asked also when there is no scorer", async () => {
  const { turn } = await chooseOnce({ select: (candidates) => candidates.length - 1 });
  expect(turn?.selected.text).toBe("reply 2");
});

test("steps of a candidate's sampling say whose they are", async () => {
  const model = instrumentModel(modelNamed("m"));
  const { run } = await chooseOnce({ candidates: 2, sample: (asked) => model.chat(asked) });
  const tags = run.steps.filter(({ payload }) => payload.event_type === "LLM_START").map(({ payload }) => payload.tags);
  expect(tags).toEqual([["turn 0, candidate 0"], ["turn 0, candidate 1"]]);
});

test("a scorer may promise its score in any way that can be awaited", async () => {
  // biome-ignore lint/suspicious/noThenProperty: something that is awaited and is no Promise is what this is about.
  const later = (score: number) => ({ then: (done: (score: number) => void) => void done(score) });
  const { turn } = await chooseOnce({ score: ({ candidate_index }) => later(candidate_index) as never });
  expect(turn?.candidates.map(({ score, error }) => error ?? score)).toEqual([0, 1, 2]);
});

test("a scorer that throws leaves that candidate unscored; a scored one is taken before it", async () => {
  const { run, steps } = await chooseOnce({
    score: ({ candidate_index }) => {
      if (candidate_index === 0) throw new Error("no idea");
      return candidate_index === 1 ? -5 : null;
    },
  });
  expect(run.output).toBe("reply 1");
  expect(steps.map(({ data }) => data?.score)).toEqual([null, -5, null]);
  expect(steps[0]?.metadata).toMatchObject({ error: { message: "no idea" } });
});

test("when every scoring throws the turn fails", async () => {
  const { run, steps } = await chooseOnce({
    score: () => {
      throw new Error("judge is out");
    },
  });
  expect(run.error).toMatchObject({ code: "turn_failed", message: expect.stringContaining("judge is out") });
  expect(steps).toHaveLength(3);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("a score of %s is no score", async (bad) => {
  const { steps } = await chooseOnce({ score: ({ candidate_index }) => (candidate_index === 0 ? bad : 1) });
  expect(steps[0]?.data?.score).toBeNull();
  expect(steps[0]?.metadata).toMatchObject({ error: { code: "score_not_finite" } });
});

test("tries before a slot's answer are candidates too, with their own prompts, behind the slots' places", async () => {
  const retryPrompt = [
    ...prompt,
    { role: "assistant" as const, content: "??" },
    { role: "user" as const, content: "again" },
  ];
  const { turn } = await chooseOnce({
    candidates: 2,
    sample: (_prompt, slot) =>
      slot.index === 0 ? [{ text: "??" }, { text: "mended", prompt: retryPrompt }] : "straight",
    score: ({ text }) => (text === "??" ? -1 : 1),
  });
  expect(turn?.candidates.map(({ text, candidate_index }) => [candidate_index, text])).toEqual([
    [0, "??"],
    [1, "straight"],
    [2, "mended"],
  ]);
  expect(turn?.candidates[2]?.prompt).toEqual(retryPrompt);
});

test("policy-only takes one candidate and asks no scorer and no selector", async () => {
  const { turn, steps } = await chooseOnce(
    {
      score: () => {
        throw new Error("must not be asked");
      },
      select: () => {
        throw new Error("must not be asked");
      },
    },
    { policy_only: true },
  );
  expect(turn?.selected.text).toBe("reply 0");
  expect(steps.map(({ data }) => data?.score)).toEqual([null]);
});

test("without scores a slot's answer is taken, not the try before it", async () => {
  const { turn } = await chooseOnce({ candidates: 1, sample: () => [{ text: "bad try" }, { text: "answer" }] });
  expect(turn?.selected.text).toBe("answer");
});

test("who made a candidate is known from the calls that were made for it", async () => {
  const model = instrumentModel(modelNamed("m"));
  const { turn, run } = await chooseOnce({
    candidates: 2,
    sample: (asked, slot) => (slot.index === 0 ? model.chat(asked) : "made by code"),
    score: async () => {
      await model.chat(prompt);
      return 1;
    },
  });
  expect(turn?.candidates.map((candidate) => [candidate.model, candidate.usage.total_tokens])).toEqual([
    ["m", 5],
    [undefined, 0],
  ]);
  expect(run.usage).toMatchObject({ llm_calls: 3, total_tokens: 15 });
});

test("a sampler says whose reply it is where our models do not: a model of one's own, or code", async () => {
  const { steps } = await chooseOnce({
    sample: (_prompt, slot) => ({ text: "x", model: [undefined, null, "own-model"][slot.index] }),
  });
  expect(steps.map(({ metadata }) => metadata?.model)).toEqual([undefined, null, "own-model"]);
});

test("what a turn saw stays as it was when the conversation goes on", async () => {
  const run = await play(async (context) => {
    const messages = [{ role: "user" as const, content: "first" }];
    const note = { kept: ["as it was"] };
    context.steps.push({ event_type: "CUSTOM_END", name: "note", metadata: note });
    for (let turn = 0; turn < 2; turn += 1) {
      const { selected } = await context.choose("answer", { prompt: messages, sample: () => `reply ${turn}` });
      messages.push({ role: "assistant", content: selected.text } as never, { role: "user", content: "next" });
    }
    note.kept.push("changed");
  });
  const candidates = run.steps.filter(({ payload }) => payload.name === "dpo_candidate_move");
  expect(candidates.map(({ payload }) => (payload.data?.input as unknown[] | undefined)?.length)).toEqual([1, 3]);
  expect(run.steps.find(({ payload }) => payload.name === "note")?.payload.metadata).toEqual({ kept: ["as it was"] });
});

test("calls without a seed of their own get one each, the same in every run of the same place", async () => {
  const seen: (number | undefined)[] = [];
  const model = instrumentModel({
    ...modelNamed("m"),
    chat: async (messages, options) => {
      seen.push(options?.fallback_seed);
      expect(options?.sample_index).toBe(options?.fallback_seed);
      return modelNamed("m").chat(messages, options);
    },
  });
  const sample = async (asked: never) => {
    await model.chat(asked);
    return model.chat(asked);
  };
  const first = await chooseOnce({ sample: sample as never });
  await chooseOnce({ sample: sample as never });
  await chooseOnce({ sample: sample as never }, { rep: 1 });

  expect(seen.slice(0, 6)).toEqual(seen.slice(6, 12));
  expect(new Set(seen).size).toBe(12);
  // A candidate's first call has the candidate's own seed.
  expect(seen.slice(0, 3)).toEqual(first.turn?.candidates.map(({ seed }) => seed));
});

test("an output without JSON fails its example, not the run", async () => {
  expect(await play(() => 1n)).toMatchObject({ status: "failed", error: { code: "not_json" }, output: null });
});

test("a workflow that listens to no signal is left when the run is stopped", async () => {
  const stop = new AbortController();
  const playing = play(() => new Promise(() => undefined), { signal: stop.signal });
  stop.abort(new Error("stop"));
  await expect(playing).rejects.toThrow("stop");
});

test("an edited candidate joins the others, and the original stays", async () => {
  const { turn } = await chooseOnce({
    candidates: 2,
    edit: (candidate) => `${candidate.text}, better`,
    score: ({ text }) => text.length,
  });
  expect(turn?.candidates.map(({ text }) => text)).toEqual([
    "reply 0",
    "reply 1",
    "reply 0, better",
    "reply 1, better",
  ]);
  expect(turn?.candidates.map(({ metadata }) => metadata.edited_from)).toEqual([undefined, undefined, 0, 1]);
  expect(turn?.selected.text).toBe("reply 0, better");
});

test("steps of parallel calls name the function and the step they happened in", async () => {
  const model = instrumentModel(modelNamed("m"));
  const inner = instrumentFunction("inner", async (input) => {
    await model.chat(prompt);
    return input;
  });
  const run = await play(async () => Promise.all([inner(1), inner(2)]));

  const starts = run.steps.filter(({ payload }) => payload.event_type === "FUNCTION_START");
  const calls = run.steps.filter(({ payload }) => payload.event_type === "LLM_START");
  expect(calls.map(({ parent_id }) => parent_id)).toEqual(starts.map(({ payload }) => payload.UUID));
  expect(
    calls.map(({ function_ancestry }) => [function_ancestry.function_name, function_ancestry.parent_name]),
  ).toEqual([
    ["inner", "w"],
    ["inner", "w"],
  ]);
  for (const { payload } of run.steps.filter(({ payload }) => payload.event_type.endsWith("_END"))) {
    const start = payload.event_type.replace("_END", "_START");
    expect(
      run.steps.filter((step) => step.payload.UUID === payload.UUID && step.payload.event_type === start),
    ).toHaveLength(1);
  }
});

test("an END that the workflow pushes alone is recorded as it is", async () => {
  const run = await play((context) => {
    context.steps.push({
      event_type: "TTC_END",
      name: "dpo_candidate_move",
      data: { turn_id: "turn_0", turn_index: 0, candidate_index: 0, input: "q", output: "a", score: 1 },
      metadata: { is_selected: true },
    });
  });
  expect(run.steps.filter(({ payload }) => payload.event_type === "TTC_END")).toHaveLength(1);
  expect(run.output).toBeNull();
});

test("an example that is stopped has not ended: the abort is thrown, no record is made", async () => {
  const stop = new AbortController();
  const playing = play(
    async (context) => {
      stop.abort(new Error("stop"));
      return context.choose("answer", { prompt, sample: () => "x" });
    },
    { signal: stop.signal },
  );
  await expect(playing).rejects.toThrow("stop");
});
