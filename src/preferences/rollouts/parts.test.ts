import { expect, test } from "vitest";
import type { Message } from "../../records/message.ts";
import type { RolloutRecord } from "../../records/rollout.ts";
import { sideOf } from "./completion.ts";
import { firstDivergence } from "./divergence.ts";
import { parseRewardExpression, scoreOf } from "./reward-expression.ts";
import { RolloutLooker } from "./rollout-facts.ts";

const said = (content: string, more: Partial<Message> = {}): Message => ({ role: "assistant", content, ...more });
const user = (content: string): Message => ({ role: "user", content });
const calling = (id: string, given: string): Message =>
  said("", { tool_calls: [{ id, type: "function", function: { name: "f", arguments: given } }] });
const result = (id: string, content: string): Message => ({ role: "tool", content, tool_call_id: id });

const rollout = (change: Partial<RolloutRecord> = {}): RolloutRecord => ({
  task: "t",
  rollout: 0,
  prompt: [user("ask")],
  completion: [said("a")],
  reward: 1,
  state: "completed",
  model: "m",
  ...change,
});

test("a reward is a sum of named parts, of the reward's own or of the row's fields", () => {
  const components = { correctness: 1, format: 0.5 };
  const score = (text: string, row: unknown = {}) => scoreOf(rollout({ components }), row, parseRewardExpression(text));
  expect(score("0.7*correctness+0.3*format")).toBeCloseTo(0.85, 12);
  expect(score("correctness - 1e-1 * format")).toBeCloseTo(0.95, 12);
  expect(score("reward")).toBe(1);
  expect(score("- info.steps", { info: { steps: 3 } })).toBe(-3);
  expect(score("resolved+correctness", { resolved: true })).toBe(2);
});

test("a part that is missing or no number leaves the rollout unscored, never 0", () => {
  const components = { a: 1, text: "1", none: null };
  for (const text of ["a+missing", "text", "none", "a*0.5"]) {
    const score = () => scoreOf(rollout({ components }), { row: 1 }, parseRewardExpression(text));
    if (text === "a*0.5") expect(score).toThrow(expect.objectContaining({ code: "bad_reward_expression" }));
    else expect(score()).toBeNull();
  }
  for (const reward of [undefined, null, "1", Number.NaN, Number.POSITIVE_INFINITY, true, {}]) {
    expect(scoreOf(rollout({ reward }), {}, undefined)).toBeNull();
  }
  for (const text of ["", "0.7*", "a b", "a++b", "2"]) {
    expect(() => parseRewardExpression(text)).toThrow(expect.objectContaining({ code: "bad_reward_expression" }));
  }
});

test("a text is what the assistant said last, and says what came before it and is not in it", () => {
  expect(sideOf([said("a", { reasoning: "hm" })], "text")).toEqual({ messages: [said("a")], text: "a", lost: [] });
  const agent = [calling("1", "{}"), result("1", "x"), said("done")];
  expect(sideOf(agent, "text")).toEqual({ messages: [said("done")], text: "done", lost: ["tool_calls"] });
  expect(sideOf([said("a"), user("and?"), said("b")], "text")).toMatchObject({ text: "b", lost: ["turns"] });
  expect(sideOf(agent.slice(0, 2), "text")).toBe("no_final_text");
  expect(sideOf(agent.slice(0, 1), "text")).toBe("no_final_text");
});

test("a turn is all of it, up to the assistant's last word", () => {
  const agent = [calling("1", "{}"), result("1", "x"), said("done")];
  expect(sideOf(agent, "turn")).toMatchObject({ messages: agent, lost: [] });
  expect(sideOf([...agent, user("thanks")], "turn")).toMatchObject({ messages: agent });
  expect(sideOf(agent.slice(0, 2), "turn")).toMatchObject({ messages: agent.slice(0, 1) });
});

test("thoughts alone are no reply, in a field or between tags", () => {
  for (const mode of ["text", "turn"] as const) {
    expect(sideOf([], mode)).toBe("empty");
    expect(sideOf([said(" \n")], mode)).toBe("empty");
    expect(sideOf([said("", { reasoning: "hm" })], mode)).toBe("only_reasoning");
    expect(sideOf([said("<think>never ended")], mode)).toBe("only_reasoning");
    expect(sideOf([said("<think>a</think>\n ")], mode)).toBe("only_reasoning");
    expect(sideOf([said("<think>a</think> b")], mode)).toMatchObject({ messages: [said("<think>a</think> b")] });
  }
});

test("two agents part in the first turn in which they do something else", () => {
  const one = [
    calling("a1", '{"x": 1}'),
    result("a1", "one"),
    calling("a2", '{"x":2}'),
    result("a2", "two"),
    said("2"),
  ];
  const other = [
    calling("b1", '{"x":1}'),
    result("b1", "one"),
    calling("b2", '{"x":3}'),
    result("b2", "three"),
    said("3"),
  ];
  expect(firstDivergence(one, other)).toEqual({ shared: one.slice(0, 2), chosen: [one[2]], rejected: [other[2]] });
});

test("thoughts and drawn ids make no difference; the world's answers do", () => {
  const a = [said("go", { reasoning: "x" }), user("ok"), said("left", { reasoning: "p" })];
  const b = [said("go", { reasoning: "y" }), user("ok"), said("right", { reasoning: "q" })];
  expect(firstDivergence(a, b)).toEqual({ shared: a.slice(0, 2), chosen: [a[2]], rejected: [b[2]] });
  expect(firstDivergence(a, [b[0]!, user("no"), b[2]!])).toBe("diverges_in_environment");
  expect(firstDivergence(a, a)).toBe("no_divergence");
  expect(firstDivergence(a, a.slice(0, 1))).toBe("no_divergence");
  expect(firstDivergence([said("", { reasoning: "x" })], [said("b")])).toBe("only_reasoning");
});

test("what a rollout is known by does not depend on what was looked at before it", () => {
  const of = (records: RolloutRecord[]) => {
    const looker = new RolloutLooker({ completion: "text" });
    return records.map((record) => looker.factsOf(record, {}));
  };
  const others = [
    rollout(),
    rollout({ prompt: [user("else")] }),
    rollout({ tools: [{ type: "function", function: { name: "f" } }] }),
    rollout({ task: undefined, variant: "v" }),
    rollout({ completion: [said("b")] }),
  ];
  const alone = others.map((record) => of([record])[0]);
  expect(of(others)).toEqual(alone);
  expect(of([...others].reverse())).toEqual([...alone].reverse());
  const keys = (name: "question" | "content" | "task") => new Set(alone.map((facts) => JSON.stringify(facts?.[name])));
  expect([keys("question").size, keys("content").size, keys("task").size]).toEqual([3, 2, 2]);
});

test("a threshold makes passed and failed of rewards; a field fills in for a prompt that is empty", () => {
  const looker = new RolloutLooker({ completion: "text", pass_threshold: 0.5, prompt_from: "meta.ask" });
  expect(looker.factsOf(rollout({ reward: 0.5 }), {}).score).toBe(1);
  expect(looker.factsOf(rollout({ reward: 0.49 }), {}).score).toBe(0);
  expect(looker.factsOf(rollout({ prompt: [] }), {}).unusable).toBe("empty_prompt");
  expect(looker.factsOf(rollout({ prompt: [] }), { meta: { ask: "ask" } }).question).toEqual(
    looker.factsOf(rollout(), {}).question,
  );
});
