import { expect, test } from "vitest";
import type { RolloutRecord } from "../../../records/rollout.ts";
import { BUILTIN_READERS } from "./builtin-readers.ts";

const reader = (name: string) => BUILTIN_READERS[name]!.reader;
const user = (content: string) => ({ role: "user" as const, content });
const said = (content: string) => ({ role: "assistant" as const, content });

function recordsOf(name: string, row: unknown): RolloutRecord[] {
  const read = reader(name).rollouts(row);
  if ("problem" in read) throw new Error(read.problem);
  return read;
}

const gymRow = {
  responses_create_params: { input: [{ role: "user", content: "2+2?" }], tools: [] },
  response: {
    model: "m",
    output: [
      { type: "reasoning", summary: [{ type: "summary_text", text: "easy" }] },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "4" }] },
    ],
  },
  reward: 1,
  reward_components: { format: 0.5 },
  _ng_task_index: 3,
  _ng_rollout_index: 2,
  agent_ref: { name: "a" },
};

/** A row of each reader, and what it is. */
const SAMPLES: Record<string, { row: Record<string, unknown>; records: Partial<RolloutRecord>[] }> = {
  "nemo-gym": {
    row: gymRow,
    records: [
      {
        task: '[3,"a"]',
        rollout: 2,
        prompt: [user("2+2?")],
        completion: [{ role: "assistant", content: "4", reasoning: "easy" }],
        reward: 1,
        components: { format: 0.5 },
        state: "completed",
        model: "m",
      },
    ],
  },
  runs: {
    row: {
      example_id: "e1",
      status: "completed",
      steps: [0, 1].map((candidate_index) => ({
        payload: {
          event_type: "TTC_END",
          name: "dpo_candidate_move",
          data: {
            turn_id: "t",
            turn_index: 4,
            candidate_index,
            input: "ask",
            output: `r${candidate_index}`,
            score: candidate_index,
          },
          metadata: { model: "m" },
        },
      })),
    },
    records: [0, 1].map((score) => ({
      task: '["e1","dpo_candidate_move",4]',
      rollout: undefined,
      prompt: [user("ask")],
      completion: [said(`r${score}`)],
      reward: score,
      state: "completed" as const,
      model: "m",
    })),
  },
  promptfoo: {
    row: {
      prompt: { raw: '[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}]', label: "p" },
      response: { output: "hello", finishReason: "stop" },
      provider: { id: "openai:gpt" },
      score: 0.5,
      success: false,
      error: "Expected output to contain…",
      failureReason: 1,
      namedScores: { tone: 1 },
      testIdx: 7,
      vars: { a: 1 },
    },
    records: [
      {
        task: '[7,{"a":1}]',
        prompt: [{ role: "system", content: "Be brief." }, user("hi")],
        completion: [said("hello")],
        reward: 0.5,
        components: { tone: 1 },
        state: "completed",
        model: "openai:gpt",
      },
    ],
  },
  "openai-responses": {
    row: {
      request: { input: "hi", instructions: "Be brief." },
      response: { output: [{ type: "message", role: "assistant", content: [{ type: "refusal", refusal: "No." }] }] },
      metadata: { score: 0.25, task_id: "t" },
    },
    records: [
      {
        task: '[["task_id","t"]]',
        prompt: [{ role: "system", content: "Be brief." }, user("hi")],
        completion: [said("No.")],
        reward: 0.25,
        state: "completed",
      },
    ],
  },
  "openai-chat": {
    row: {
      request: { messages: [user("hi")] },
      response: {
        model: "m",
        choices: [
          { index: 0, message: said("a"), finish_reason: "stop", reward: 1 },
          { index: 1, message: said("b"), finish_reason: "length", reward: 0 },
        ],
      },
      reward: 0.9,
    },
    records: [
      { task: undefined, prompt: [user("hi")], completion: [said("a")], reward: 1, state: "completed", model: "m" },
      { completion: [said("b")], reward: 0, state: "truncated" },
    ],
  },
  "scored-responses": {
    row: {
      prompt: "hi",
      system: "Be brief.",
      id: "x",
      responses: [
        { text: "a", score: 3 },
        { text: "b", score: null },
      ],
    },
    records: [
      { task: '[["id","x"]]', rollout: 0, prompt: [{ role: "system", content: "Be brief." }, user("hi")], reward: 3 },
      { rollout: 1, completion: [said("b")], reward: undefined, state: "completed" },
    ],
  },
  completions: {
    row: {
      prompt: [user("hi")],
      completion: [said("a")],
      reward: 0.5,
      metrics: { len: 2 },
      answer: "42",
      example_id: 5,
      is_truncated: true,
    },
    records: [
      {
        task: '[["example_id",5]]',
        variant: '"42"',
        prompt: [user("hi")],
        completion: [said("a")],
        reward: 0.5,
        components: { len: 2 },
        state: "truncated",
      },
    ],
  },
};

test("there is a sample of each reader", () => {
  expect(Object.keys(SAMPLES)).toEqual([
    "nemo-gym",
    "runs",
    "promptfoo",
    "openai-responses",
    "openai-chat",
    "scored-responses",
    "completions",
  ]);
  expect(Object.keys(SAMPLES)).toEqual(Object.keys(BUILTIN_READERS));
});

test.each(Object.entries(SAMPLES))("%s reads a row of its own as it was meant", (name, { row, records }) => {
  const read = recordsOf(name, row);
  expect(read).toHaveLength(records.length);
  for (const [place, record] of records.entries()) expect(read[place]).toMatchObject(record);
});

test.each(Object.entries(SAMPLES))(
  "a file of %s is guessed to be that, whatever else is asked first",
  (name, { row }) => {
    const known = Object.entries(BUILTIN_READERS).find(([, { reader: one }]) => one.recognises([row]));
    expect(known?.[0]).toBe(name);
  },
);

const JUNK: unknown[] = [
  null,
  7,
  "text",
  [],
  {},
  { prompt: 1, completion: 2 },
  { responses_create_params: { input: 7 } },
];

test.each(Object.keys(SAMPLES))("%s takes junk for no rollout, and throws at nothing", (name) => {
  let problems = 0;
  const damaged = Object.values(SAMPLES).flatMap(({ row }) =>
    Object.keys(row).flatMap((key) => [null, 7, "x", [], [null], {}].map((value) => ({ ...row, [key]: value }))),
  );
  for (const row of [...JUNK, ...damaged]) {
    const read = reader(name).rollouts(row);
    if ("problem" in read) problems += 1;
    else for (const record of read) expect(record.completion.every(({ role }) => typeof role === "string")).toBe(true);
  }
  expect(problems).toBeGreaterThan(JUNK.length - 1);
  expect(reader(name).recognises(JUNK.slice(0, 5))).toBe(false);
});

const gym = (change: Record<string, unknown>, response: Record<string, unknown> = {}) =>
  recordsOf("nemo-gym", { ...gymRow, ...change, response: { ...gymRow.response, ...response } })[0]!;

test.each<[string, RolloutRecord["state"], Record<string, unknown>, Record<string, unknown>]>([
  ["is whole", "completed", {}, {}],
  ["met the token limit", "truncated", {}, { incomplete_details: { reason: "max_output_tokens" } }],
  ["is incomplete", "truncated", {}, { status: "incomplete" }],
  ["met the environment's limit", "truncated", { truncated: true }, {}],
  ["ran out of time", "truncated", { agent_timed_out: true }, {}],
  ["was filtered", "errored", {}, { incomplete_details: { reason: "content_filter" } }],
  ["failed", "errored", {}, { status: "failed" }],
  ["has an error", "errored", {}, { error: { code: "server_error" } }],
  ["says nothing", "no_response", {}, { output: [] }],
  ["is masked", "masked", { mask_sample: true }, {}],
  ["is masked by its instance", "masked", { instance_config: { mask_sample: true } }, {}],
  ["is of the failures", "failed", { _ng_failure_class: "judge_failed", reward: 0 }, {}],
  ["searched the web", "unsupported_item", {}, { output: [{ type: "web_search_call" }, ...gymRow.response.output] }],
])("a rollout of Gym that %s is %s", (_, state, row, response) => {
  expect(gym(row, response).state).toBe(state);
});

test("a row of the tutorials, with the output's items in itself, is read as one with a response", () => {
  const { response, ...others } = gymRow;
  const [of_gym] = recordsOf("nemo-gym", { ...others, response: { output: response.output } });
  expect(of_gym).toMatchObject({ state: "completed", reward: gymRow.reward });
  expect(recordsOf("nemo-gym", { ...others, output: response.output })).toEqual([of_gym]);
});

test("a reward that nobody verified is none", () => {
  expect(gym({ verification_skipped: true }).reward).toBeUndefined();
});

test("calls, their results and what is said between them become messages as Gym's own converter makes them", () => {
  const output = [
    { type: "message", role: "user", content: "the world begins" },
    { type: "reasoning", summary: [], encrypted_content: "x" },
    { type: "message", role: "assistant", content: [{ type: "output_text", text: "\n\n" }] },
    { type: "function_call", call_id: "c1", name: "f", arguments: '{"a":1}' },
    { type: "function_call", call_id: "c2", name: "g", arguments: "" },
    { type: "function_call_output", call_id: "c1", output: "one" },
    { type: "function_call_output", call_id: "c2", output: [{ type: "input_text", text: "two" }] },
    {
      type: "message",
      role: "assistant",
      content: [
        { type: "output_text", text: "do" },
        { type: "output_text", text: "ne" },
      ],
    },
  ];
  const { prompt, completion } = gym({}, { output });
  expect(prompt).toEqual([user("2+2?"), user("the world begins")]);
  const call = (id: string, name: string, text: string) => ({
    id,
    type: "function",
    function: { name, arguments: text },
  });
  expect(completion).toEqual([
    { role: "assistant", content: "\n\n", tool_calls: [call("c1", "f", '{"a":1}'), call("c2", "g", "")] },
    { role: "tool", content: "one", tool_call_id: "c1" },
    { role: "tool", content: "two", tool_call_id: "c2" },
    said("done"),
  ]);
});

test("instructions and a system message are one; a text is the user's; pictures stay", () => {
  const image = { type: "input_image", image_url: "data:x", detail: "auto" };
  const params = (input: unknown) => gym({ responses_create_params: { input, instructions: "First." } }).prompt;
  expect(params("hi")).toEqual([{ role: "system", content: "First." }, user("hi")]);
  expect(params([{ role: "developer", content: "Then." }, user("hi")])).toEqual([
    { role: "developer", content: "First.\n\nThen." },
    user("hi"),
  ]);
  expect(params([{ role: "user", content: [{ type: "input_text", text: "see" }, image] }])[1]?.content).toEqual([
    { type: "text", text: "see" },
    { type: "image_url", image_url: { url: "data:x" } },
  ]);
});

test("of a list of lists the last one is the rollout", () => {
  const turn = [
    { type: "message", role: "user", content: "ask" },
    { type: "message", role: "assistant", content: "a" },
  ];
  const { prompt, completion } = gym({ responses_create_params: { input: [] } }, { output: [turn.slice(0, 1), turn] });
  expect([prompt, completion]).toEqual([[user("ask")], [said("a")]]);
});

test("what a task is: its index, else an id, else the prompt with what tells tasks of one prompt apart", () => {
  const { _ng_task_index: _, agent_ref: __, ...unnumbered } = gymRow;
  const of = (row: Record<string, unknown>) => recordsOf("nemo-gym", { ...unnumbered, ...row })[0]!;
  expect(of({})).toMatchObject({ task: undefined, variant: undefined });
  expect(of({ task_idx: 4 }).task).toBe('[{"task_idx":4},null]');
  expect(of({ difficulty: "hard" })).toMatchObject({ task: undefined, variant: '{"difficulty":"hard"}' });
  const params = (metadata: unknown) => ({ responses_create_params: { input: "x", metadata } });
  expect(of(params({ extra_body: '{"seed":1}' })).variant).toBeUndefined();
  expect(of(params({ instance_id: "a", extra_body: "1" })).variant).toBe('{"metadata":{"instance_id":"a"}}');
});
