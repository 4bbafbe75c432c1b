import { afterEach, expect, test } from "vitest";
import type { Message, Tool } from "../records/message.ts";
import type { ChatModel } from "../registry/chat-model.ts";
import { type ModelServer, type ModelServerOptions, startModelServer } from "../testing/model-server.ts";
import type { ModelRequest } from "../testing/model-server-reply.ts";
import { modelFor } from "./__fixtures__/model-for.ts";

const running: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

async function serve(options: ModelServerOptions): Promise<ModelServer> {
  const server = await startModelServer(options);
  running.push(server);
  return server;
}

function model(...args: Parameters<typeof modelFor>): ChatModel & { close(): void } {
  const made = modelFor(...args) as ChatModel & { close(): void };
  running.push(made);
  return made;
}

const QUESTION: Message[] = [{ role: "user", content: "What is two and two?" }];

/** A server that keeps the requests it got. */
async function recording(reply: ModelServerOptions["reply"] = () => "four") {
  const requests: ModelRequest[] = [];
  const headers: Record<string, unknown>[] = [];
  const server = await serve({
    reply: (request, call) => {
      requests.push(request);
      headers.push(call.headers);
      return reply(request, call);
    },
  });
  return { server, requests, headers };
}

test("a plain call gives the text, the message, the reason it ended and the usage", async () => {
  const { server, requests } = await recording();

  const completion = await model({ base_url: server.url }).chat(QUESTION);

  expect(completion).toEqual({
    message: { role: "assistant", content: "four" },
    text: "four",
    finish_reason: "stop",
    refusal: false,
    choices: [{ message: { role: "assistant", content: "four" }, text: "four", finish_reason: "stop", refusal: false }],
    model: "test-model",
    usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6, llm_calls: 1 },
    cached: false,
  });
  expect(requests).toEqual([{ model: "test-model", messages: QUESTION }]);
});

test("what the call says goes before what the configuration says, and every field arrives", async () => {
  const { server, requests } = await recording();
  const tools: Tool[] = [{ type: "function", function: { name: "add", parameters: { type: "object" } } }];

  await model({
    base_url: server.url,
    temperature: 0.1,
    top_p: 0.9,
    max_tokens: 10,
    seed: 1,
    stop: "A",
    extra_body: { top_k: 5, repetition_penalty: 1.1 },
  }).chat(QUESTION, {
    temperature: 0,
    seed: 7,
    n: 2,
    stop: ["B", "C"],
    logprobs: true,
    top_logprobs: 3,
    tools,
    tool_choice: "auto",
    response_format: { type: "json_object" },
    extra_body: { top_k: 6, guided_json: { z: 1, a: 2 } },
  });

  expect(requests[0]).toEqual({
    model: "test-model",
    messages: QUESTION,
    temperature: 0,
    top_p: 0.9,
    max_tokens: 10,
    seed: 7,
    n: 2,
    stop: ["B", "C"],
    logprobs: true,
    top_logprobs: 3,
    tools,
    tool_choice: "auto",
    response_format: { type: "json_object" },
    top_k: 6,
    repetition_penalty: 1.1,
    guided_json: { z: 1, a: 2 },
  });
});

test("seeds of several replies: all of them where the server takes them, the first one elsewhere", async () => {
  const { server, requests } = await recording();
  const ask = (merge_calls: boolean) => model({ base_url: server.url, merge_calls }).chat(QUESTION, { seeds: [7, 8] });

  await ask(true);
  await ask(false);
  // The server notes a request once for each reply.
  const [first, , second] = requests;
  expect(first).toMatchObject({ seed: 7, n: 2, pairwright: { seeds: [7, 8] } });
  expect(second).toEqual({ model: "test-model", messages: QUESTION, seed: 7, n: 2 });
});

test("nim asks for at most 300 tokens unless told", async () => {
  const { server, requests } = await recording();

  await model({ base_url: server.url }, {}, "nim").chat(QUESTION);

  expect(requests[0]?.max_tokens).toBe(300);
});

test("n replies come back as n choices, the first of them as the reply", async () => {
  const { server } = await recording((_request, { choice_index }) => `draw ${choice_index}`);

  const completion = await model({ base_url: server.url }).chat(QUESTION, { n: 3 });

  expect(completion.choices.map((choice) => choice.text)).toEqual(["draw 0", "draw 1", "draw 2"]);
  expect(completion.text).toBe("draw 0");
  expect(completion.usage.llm_calls).toBe(1);
});

test("tool calls come in and go out again as they were, and content null is an empty text", async () => {
  const call = {
    id: "call_1",
    type: "function",
    function: { name: "add", arguments: '{"a":2,"b":2}' },
    extra: { k: 1 },
  };
  const { server, requests } = await recording(({ messages }) =>
    messages.some((message) => message.role === "tool") ? "four" : { tool_calls: [call] },
  );
  const chat = model({ base_url: server.url });

  const first = await chat.chat(QUESTION);
  const result: Message = { role: "tool", tool_call_id: "call_1", content: "4" };
  const second = await chat.chat([...QUESTION, first.message, result]);

  expect(first.message).toEqual({ role: "assistant", content: "", tool_calls: [call] });
  expect(first.finish_reason).toBe("tool_calls");
  expect(requests[1]?.messages.slice(1)).toEqual([{ role: "assistant", content: null, tool_calls: [call] }, result]);
  expect(second.text).toBe("four");
});

test("arguments that a server sends as an object become JSON text", async () => {
  const { server } = await recording(() => ({ tool_calls: [{ function: { name: "add", arguments: { a: 2 } } }] }));

  const { message } = await model({ base_url: server.url }).chat(QUESTION);

  expect(message.tool_calls).toEqual([{ type: "function", function: { name: "add", arguments: '{"a":2}' } }]);
});

test.each(["reasoning_content", "reasoning"])("%s is read as the reasoning, and never sent back", async (field) => {
  const { server, requests } = await recording(() => ({ content: "four", [field]: "2 + 2" }));
  const chat = model({ base_url: server.url });

  const { message } = await chat.chat(QUESTION);
  await chat.chat([...QUESTION, message]);

  expect(message).toEqual({ role: "assistant", content: "four", reasoning: "2 + 2" });
  expect(requests[1]?.messages[1]).toEqual({ role: "assistant", content: "four" });
});

test("log probabilities are handed on", async () => {
  const logprobs = { content: [{ token: "four", logprob: -0.1 }] };
  const { server } = await recording(() => ({ content: "four", logprobs }));

  expect((await model({ base_url: server.url }).chat(QUESTION, { logprobs: true })).logprobs).toEqual(logprobs);
});

test("a refusal is a reply that is marked, not an error", async () => {
  const server = await serve({ reply: () => "four", faults: [{ kind: "refusal", text: "No." }] });

  const completion = await model({ base_url: server.url }).chat(QUESTION);

  expect(completion).toMatchObject({ text: "No.", refusal: true, message: { content: "No." }, finish_reason: "stop" });
});

test("a reply that was cut off is a reply with finish_reason length", async () => {
  const server = await serve({ reply: () => "four and more", faults: [{ kind: "truncated" }] });

  const completion = await model({ base_url: server.url }).chat(QUESTION);

  expect(completion).toMatchObject({ text: "four a", finish_reason: "length", refusal: false });
});

test("an empty text is a reply, also when the server writes it as null", async () => {
  const { server } = await recording(({ seed }) => ({ content: seed === 1 ? "" : null, finish_reason: "length" }));
  const chat = model({ base_url: server.url });

  expect(await chat.chat(QUESTION, { seed: 1 })).toMatchObject({ text: "", finish_reason: "length" });
  expect(await chat.chat(QUESTION, { seed: 2 })).toMatchObject({ text: "", finish_reason: "length" });
});

test("usage tells cached and reasoning tokens, and the cost by the price of each", async () => {
  const usage = {
    prompt_tokens: 1_000,
    completion_tokens: 200,
    total_tokens: 1_200,
    prompt_tokens_details: { cached_tokens: 400 },
    completion_tokens_details: { reasoning_tokens: 50 },
  };
  const { server } = await recording(() => ({ content: "four", usage }));

  const completion = await model({
    base_url: server.url,
    price: { prompt: 2, completion: 10, cached: 0.5 },
  }).chat(QUESTION);

  expect(completion.usage).toEqual({
    prompt_tokens: 1_000,
    completion_tokens: 200,
    total_tokens: 1_200,
    cached_tokens: 400,
    reasoning_tokens: 50,
    llm_calls: 1,
    // 600 at 2 $, 400 at 0.5 $ and 200 at 10 $ a million.
    cost: expect.closeTo(0.0034, 10),
  });
});

test("a server that tells no usage has no cost, though there is a price", async () => {
  const { server } = await recording(() => ({ content: "four", usage: null }));

  const { usage } = await model({ base_url: server.url, price: { prompt: 1, completion: 1 } }).chat(QUESTION);

  expect(usage).toEqual({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0, llm_calls: 1 });
});

test("the key comes from the configuration, else from the type's own variable, else none is sent", async () => {
  const { server, headers } = await recording();
  const env = { OPENAI_API_KEY: "from-openai\n", NVIDIA_API_KEY: "from-nvidia" };
  const base_url = server.url;

  await model({ base_url, api_key: "configured" }, { env }).chat(QUESTION);
  await model({ base_url, api_key: "" }, { env }).chat(QUESTION);
  await model({ base_url }, { env }, "nim").chat(QUESTION);
  await model({ base_url }, { env: { NVIDIA_API_KEY: "not-this" } }).chat(QUESTION);

  expect(headers.map(({ authorization }) => authorization)).toEqual([
    "Bearer configured",
    "Bearer from-openai",
    "Bearer from-nvidia",
    undefined,
  ]);
});

test("calls share kept connections, as many as were in flight at once", async () => {
  const { server } = await recording();
  const chat = model({ base_url: server.url });
  const worker = async () => {
    for (let call = 0; call < 20; call += 1) await chat.chat(QUESTION);
  };

  await Promise.all([worker(), worker(), worker()]);

  expect(server.calls).toBe(60);
  expect(server.connections).toBe(3);
});

test("max_concurrency bounds the requests in flight", async () => {
  const server = await serve({ reply: () => "four", latency_ms: 2 });
  const chat = model({ base_url: server.url, max_concurrency: 2 });

  await Promise.all(Array.from({ length: 10 }, () => chat.chat(QUESTION)));

  expect(server.calls).toBe(10);
  expect(server.peak).toBe(2);
});

test.each([
  ["an unknown option", { temprature: 1 }],
  ["the responses API", { api_type: "responses" }],
  ["a retry on 400", { retry_on_status_codes: [400] }],
  ["streaming", { extra_body: { stream: true } }],
  ["an address without a scheme", { base_url: "localhost:8000/v1" }],
])("%s is refused when the configuration is read", (_, options) => {
  expect(() => modelFor(options)).toThrow();
});
