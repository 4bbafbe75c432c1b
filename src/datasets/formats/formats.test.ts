import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import type { Message, Tool, ToolCall } from "../../records/message.ts";
import type { DatasetFormat, ReadPair } from "../../registry/training.ts";
import { BUILTIN_FORMATS } from "./builtin-formats.ts";
import { withoutCalls } from "./without-calls.ts";

const options = { use_full_message_history: true };
const user: Message = { role: "user", content: "how hot is it?" };
const call: ToolCall = { id: "c1", type: "function", function: { name: "weather", arguments: '{"city":"Rome"}' } };
const calling: Message = { role: "assistant", content: "", tool_calls: [call] };
const result: Message = { role: "tool", content: "35", tool_call_id: "c1" };
const reply = (content: string): Message[] => [{ role: "assistant", content }];
const tools: Tool[] = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
const plain: ReadPair = {
  prompt: [user],
  chosen: reply("hot"),
  rejected: reply("cold"),
  chosen_score: 1,
  rejected_score: 0.25,
  score_diff: 0.75,
};
const format = (name: string): DatasetFormat => BUILTIN_FORMATS[name]!.format;
const rowOf = (name: string, pair: ReadPair) => format(name).row(pair, options);

test("there are ten formats", () => {
  expect(Object.keys(BUILTIN_FORMATS)).toEqual([
    "pairwright",
    "nemo-customizer",
    "nemo-rl-binary",
    "nemo-rl-ranked",
    "trl",
    "trl-conversational",
    "openai",
    "azure",
    "together",
    "fireworks",
  ]);
});

test.each<[string, Record<string, unknown>]>([
  ["nemo-customizer", { prompt: [user], chosen_response: "hot", rejected_response: "cold" }],
  [
    "nemo-rl-binary",
    {
      prompt: "how hot is it?",
      chosen: "hot",
      rejected: "cold",
      chosen_reward: 1,
      rejected_reward: 0.25,
      reward_gap: 0.75,
    },
  ],
  [
    "nemo-rl-ranked",
    {
      context: [user],
      completions: [
        { rank: 0, completion: reply("hot"), reward: 1 },
        { rank: 1, completion: reply("cold"), reward: 0.25 },
      ],
    },
  ],
  ["trl", { prompt: "how hot is it?", chosen: "hot", rejected: "cold" }],
  ["trl-conversational", { prompt: [user], chosen: reply("hot"), rejected: reply("cold") }],
  ...["openai", "azure", "together", "fireworks"].map((name): [string, Record<string, unknown>] => [
    name,
    { input: { messages: [user] }, preferred_output: reply("hot"), non_preferred_output: reply("cold") },
  ]),
])("%s writes a plain pair so, and loses nothing of its messages", (name, row) => {
  expect(rowOf(name, plain)).toEqual({ row, lost: [] });
});

test("which formats hold scores", () => {
  const holds = Object.entries(BUILTIN_FORMATS).filter(([, { format: one }]) => !one.never_holds?.includes("scores"));
  expect(holds.map(([name]) => name)).toEqual(["pairwright", "nemo-rl-binary", "nemo-rl-ranked"]);
});

const agent: ReadPair = {
  ...plain,
  tools,
  prompt: [{ role: "developer", content: "Be brief." }, user, calling, result],
  chosen: [{ ...calling, tool_calls: [{ ...call, id: "c2" }] }],
  rejected: [{ role: "assistant", content: "cold", reasoning: "hm" }],
};

test.each<[string, string[] | undefined, string[]]>([
  ["nemo-customizer", undefined, ["tool_calls"]],
  ["nemo-rl-binary", undefined, ["tool_calls"]],
  ["nemo-rl-ranked", ["system", "user", "assistant", "tool"], ["tools"]],
  ["trl", undefined, ["tool_calls"]],
  ["trl-conversational", ["system", "user", "assistant", "tool"], []],
  ["openai", ["developer", "user", "assistant", "tool"], ["reasoning"]],
  ["azure", ["developer", "user", "assistant", "tool"], ["reasoning"]],
  ["together", undefined, ["tool_calls"]],
  ["fireworks", undefined, ["tool_calls"]],
])("%s of an agent's turn: what it holds and what it names as lost", (name, roles, lost) => {
  const { row, lost: named } = rowOf(name, agent);
  expect(named).toEqual(lost);
  const messages = (row?.prompt ?? row?.context ?? (row?.input as { messages: unknown } | undefined)?.messages) as
    | Message[]
    | undefined;
  expect(messages?.map(({ role }) => role)).toEqual(roles);
});

test("templates get arguments as an object, OpenAI's takers as the text that it is", () => {
  const trained = rowOf("trl-conversational", agent).row as unknown as { chosen: Message[]; tools: string };
  expect(trained.chosen[0]?.tool_calls?.[0]?.function.arguments).toEqual({ city: "Rome" });
  expect(JSON.parse(trained.tools)).toEqual(tools);
  const asked = rowOf("openai", agent).row as unknown as { preferred_output: Message[]; input: { tools: Tool[] } };
  expect(asked.preferred_output[0]).toEqual({ role: "assistant", tool_calls: [{ ...call, id: "c2" }] });
  expect(asked.input.tools).toEqual(tools);
});

test("arguments that an object would change, or that are no JSON, stay a text", () => {
  for (const text of ['{"id":12345678901234567890}', "{broken", '{"a":1,"a":2}', "[1]"]) {
    const pair = {
      ...agent,
      chosen: [{ ...calling, tool_calls: [{ ...call, function: { name: "f", arguments: text } }] }],
    };
    const { chosen } = rowOf("trl-conversational", pair).row as unknown as { chosen: Message[] };
    expect(chosen[0]?.tool_calls?.[0]?.function.arguments).toBe(text);
  }
});

test("whole turns: azure takes calls and results in outputs, openai one message, and nobody the user", () => {
  const turn = { ...plain, chosen: [calling, result, ...reply("hot")], rejected: reply("cold") };
  expect(rowOf("openai", turn)).toEqual({ row: null, lost: ["tool_calls"] });
  expect(rowOf("azure", turn).row).toMatchObject({
    preferred_output: [{ role: "assistant" }, { role: "tool" }, { content: "hot" }],
  });
  const talk = { ...plain, chosen: [...reply("a"), user, ...reply("b")] };
  expect(rowOf("azure", talk)).toEqual({ row: null, lost: ["several_messages"] });
  expect(rowOf("trl-conversational", talk).row).toMatchObject({
    chosen: [{ content: "a" }, { role: "user" }, { content: "b" }],
  });
});

test("trl's texts name what of a prompt they leave out", () => {
  const long = { ...plain, prompt: [{ role: "system" as const, content: "Be brief." }, user, ...reply("hm"), user] };
  expect(rowOf("trl", long)).toEqual({
    row: { prompt: "how hot is it?", chosen: "hot", rejected: "cold" },
    lost: ["history", "system_prompt"],
  });
});

test("our own format holds no pair without scores", () => {
  expect(rowOf("pairwright", { prompt: [user], chosen: reply("a"), rejected: reply("b") })).toEqual({
    row: null,
    lost: ["no_scores"],
  });
});

test("without calls a pair is its texts; a side that was a call alone is none", () => {
  const turn = { ...plain, tools, prompt: [user, calling, result], chosen: [calling, result, ...reply("hot")] };
  expect(withoutCalls(turn)).toEqual({ ...plain, prompt: [user] });
  expect(withoutCalls(agent)).toBeUndefined();
});

/** Pairs of every kind that rollouts give. */
function randomPair(random: () => number): ReadPair {
  const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)]!;
  const text = () => pick(["", " ", "a", "two\nlines", '"quoted" \\ ', "é𝄞\u2028", "\ud800", "<think>x</think>y", "0"]);
  const calls = () => [
    { ...call, id: `c${Math.floor(random() * 9)}`, function: { name: "f", arguments: pick(["{}", '{"x": 1}', "no"]) } },
  ];
  const assistant = (): Message => ({
    role: "assistant",
    content: text(),
    ...(random() < 0.3 && { tool_calls: calls() }),
    ...(random() < 0.2 && { reasoning: "because" }),
  });
  const side = (): Message[] =>
    random() < 0.7 ? [assistant()] : [{ ...calling, tool_calls: calls() }, result, assistant()];
  const prompt: Message[] = random() < 0.4 ? [{ role: pick(["system", "developer"] as const), content: text() }] : [];
  prompt.push({ role: "user", content: random() < 0.8 ? text() : [{ type: "text", text: text() }] });
  if (random() < 0.3) prompt.push(calling, result);
  const scores = random() < 0.5 ? { chosen_score: 1, rejected_score: random(), score_diff: 0.5 } : {};
  return { prompt, chosen: side(), rejected: side(), ...scores, ...(random() < 0.4 && { tools }) };
}

test.each(Object.keys(BUILTIN_FORMATS).filter((name) => name !== "pairwright"))(
  "%s: what is written is read again, and written as it was",
  (name) => {
    const random = seededRandom(11);
    let rows = 0;
    for (let round = 0; round < 400; round += 1) {
      const pair = randomPair(random);
      const { row, lost } = rowOf(name, pair);
      if (row === null) {
        expect(lost).toHaveLength(1);
        continue;
      }
      rows += 1;
      const stored: unknown = JSON.parse(JSON.stringify(row));
      const read = format(name).read?.(stored);
      expect(read).toMatchObject({ prompt: expect.any(Array), chosen: expect.any(Array) });
      const again = rowOf(name, read as ReadPair);
      expect(JSON.stringify(again.row)).toBe(JSON.stringify(row));
      // What a row holds once it holds always; nothing is lost a second time.
      expect(again.lost).toEqual([]);
      if (lost.length === 0 && name.startsWith("trl-")) {
        expect((read as ReadPair).chosen.map(({ content }) => content)).toEqual(
          pair.chosen.map(({ content }) => content),
        );
      }
    }
    expect(rows).toBeGreaterThan(40);
  },
);

test("a pair of ours comes back as it went", () => {
  const whole = {
    pair_id: "p",
    example_id: "e",
    rep: 0,
    run_index: 0,
    turn_id: "t",
    turn_index: 0,
    ...plain,
    score_diff: 0.75,
    reward: 0.75,
    chosen_index: 0,
    rejected_index: 1,
    model: null,
    seed: 0,
    split: "training" as const,
    source: "nemo-gym",
    metadata: {},
  };
  const { row, lost } = rowOf("pairwright", whole);
  expect(lost).toEqual([]);
  expect(format("pairwright").read?.(JSON.parse(JSON.stringify(row)))).toEqual(whole);
  expect(format("pairwright").read?.({ ...whole, chosen_score: 0 })).toHaveProperty("problem");
});

test.each<[string, unknown]>([
  ["nemo-rl-ranked", { context: [user], completions: [{ rank: 0, completion: reply("a") }] }],
  ["nemo-rl-ranked", { context: [user], completions: [0, 0].map((rank) => ({ rank, completion: reply("a") })) }],
  ["trl-conversational", { chosen: [{ role: "poet" }], rejected: [] }],
  ["trl-conversational", { chosen: reply("a"), rejected: reply("b") }],
  ["openai", { input: {}, preferred_output: [], non_preferred_output: [] }],
  ["nemo-rl-binary", { prompt: 7, chosen: "a", rejected: "b" }],
  ["nemo-customizer", { prompt: "p", chosen_response: 1, rejected_response: "b" }],
])("%s says what is wrong with a row that only looks like its own", (name, row) => {
  expect(format(name).read?.(row)).toEqual({ problem: expect.any(String) });
});

test("conversations without a prompt of their own have in common what their prompt is", () => {
  const row = { chosen: [user, ...reply("a")], rejected: [user, ...reply("b")] };
  expect(format("trl-conversational").read?.(row)).toEqual({
    prompt: [user],
    chosen: reply("a"),
    rejected: reply("b"),
  });
});
