import { expect, test } from "vitest";
import { scriptedModel } from "../testing/scripted-model.ts";
import { firstRun } from "./__fixtures__/first-run.ts";
import { instrumentModel } from "./instrument.ts";
import { runExample } from "./run-example.ts";
import { withTally } from "./tally.ts";

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, llm_calls: 1 };
const model = instrumentModel(scriptedModel(() => ({ text: "yes", usage: { ...usage, cost: 0.5 } })));
const ask = () => model.chat([{ role: "user", content: "?" }]);

test("what is called in a piece of work is summed, and works side by side do not mix", async () => {
  const [one, two, none] = await Promise.all([
    withTally(ask),
    withTally(async () => (await Promise.all([ask(), ask()])).length),
    withTally(async () => "nothing"),
  ]);

  expect(one.usage).toEqual({ ...usage, cost: 0.5 });
  expect(two).toMatchObject({ value: 2, usage: { total_tokens: 10, llm_calls: 2, cost: 1 } });
  expect(none).toMatchObject({ value: "nothing", usage: { total_tokens: 0, llm_calls: 0 } });
  expect(none.usage).not.toHaveProperty("cost");
});

test("a call inside a running example is that run's, and no other's", async () => {
  const { value: run, usage: outside } = await withTally(() =>
    runExample({ id: "e", index: 0, input: "?", row: {} }, firstRun({ workflow: async () => (await ask()).text })),
  );

  expect(run.usage.llm_calls).toBe(1);
  expect(outside.llm_calls).toBe(0);
});
