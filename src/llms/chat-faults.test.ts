import { createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { EXIT } from "../lib/errors.ts";
import type { Message } from "../records/message.ts";
import type { ChatModel } from "../registry/chat-model.ts";
import { type ModelServer, type ModelServerOptions, startModelServer } from "../testing/model-server.ts";
import type { Fault } from "../testing/model-server-fault.ts";
import { fakeClock, modelFor } from "./__fixtures__/model-for.ts";
import { LlmError } from "./llm-error.ts";

const KEY = "MARKED-key-0123456789";
const PROMPT: Message[] = [
  { role: "system", content: "You are a careful assistant of the harbour office." },
  { role: "user", content: "Which ships may leave the harbour tonight, and in which order?" },
];

const running: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

async function serve(options: Partial<ModelServerOptions> & { faults?: ModelServerOptions["faults"] }) {
  const server = await startModelServer({ reply: () => "none", ...options });
  running.push(server);
  return server;
}

function model(...args: Parameters<typeof modelFor>): ChatModel {
  const made = modelFor(...args);
  running.push({ close: () => made.close?.() });
  return made;
}

/** The error of one call; fails when there is none, or when it tells a secret. */
async function errorOf(promise: Promise<unknown>): Promise<LlmError> {
  const error = await promise.then(
    () => expect.unreachable("it should have failed"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LlmError);
  const { message, what, where, fix, stack } = error as LlmError;
  for (const text of [message, what, where, fix, stack]) {
    expect(text).not.toContain(KEY);
    expect(text).not.toMatch(/harbour/);
  }
  return error as LlmError;
}

const always = (fault: Fault) => () => fault;
const status = (code: number, more: Partial<Extract<Fault, { kind: "status" }>> = {}): Fault => ({
  kind: "status",
  status: code,
  ...more,
});

const chatOnce = (server: ModelServer, options: Record<string, unknown> = {}) =>
  model({ base_url: server.url, api_key: KEY, max_retries: 0, ...options }).chat(PROMPT);

test.each([
  ["broken JSON", { kind: "broken_json" }, "llm_bad_reply", "the reply is not JSON"],
  ["an empty choice list", { kind: "empty_choices" }, "llm_empty_reply", "the reply holds no choice"],
  ["a closed socket", { kind: "close" }, "llm_unreachable", "the connection ended before the answer was whole"],
  ["a cut body", { kind: "cut_body" }, "llm_unreachable", "the connection ended before the answer was whole"],
  ["status 500", status(500), "llm_status", "the server answered 500: status 500 as planned"],
  ["status 503", status(503), "llm_status", "the server answered 503: status 503 as planned"],
  ["status 429", status(429), "llm_status", "the server answered 429: status 429 as planned"],
] as const)("%s is an error with a code of its own, which names the endpoint", async (_, fault, code, what) => {
  const server = await serve({ faults: [fault] });

  const error = await errorOf(chatOnce(server));

  expect(error.code).toBe(code);
  expect(error.what).toContain(what);
  expect(error.where).toBe(`POST ${server.url}/chat/completions`);
  expect(error.fix).not.toBe("");
});

test("a server that hangs is a timeout, and is not asked again", async () => {
  const server = await serve({ faults: always({ kind: "hang" }) });

  const error = await errorOf(chatOnce(server, { request_timeout: 0.06, max_retries: 3 }));

  expect(error.code).toBe("llm_timeout");
  expect(error.what).toBe("no whole answer within 0.06 s");
  expect(server.calls).toBe(1);
});

test("a body that never ends is a timeout; one that is only slow is a reply", async () => {
  const server = await serve({ faults: [{ kind: "slow_body" }, { kind: "slow_body", delay_ms: 5 }] });

  expect((await errorOf(chatOnce(server, { request_timeout: 0.06 }))).code).toBe("llm_timeout");
  expect((await chatOnce(server)).text).toBe("none");
});

test("timeouts are asked again when retry_on_errors names their words", async () => {
  const server = await serve({ faults: [{ kind: "hang" }] });

  const options = { request_timeout: 0.06, max_retries: 1, retry_on_errors: ["No Whole Answer"] };

  expect((await chatOnce(server, options)).text).toBe("none");
  expect(server.calls).toBe(2);
});

test("a server that is not there is unreachable, exit code 6", async () => {
  const server = await serve({});
  await server.close();

  const error = await errorOf(chatOnce(server, { max_retries: 2 }));

  expect(error).toMatchObject({ code: "llm_unreachable", exit_code: EXIT.unreachable, status: undefined });
  expect(error.what).toBe("no connection (ECONNREFUSED) (tried 3 times)");
});

test.each([
  ["openai", "OPENAI_API_KEY"],
  ["nim", "NVIDIA_API_KEY"],
] as const)("%s without a key, where one is wanted, names %s", async (type, variable) => {
  const server = await serve({ api_key: "another" });

  const error = await errorOf(model({ base_url: server.url }, {}, type).chat(PROMPT));

  expect(error).toMatchObject({ code: "llm_status", status: 401, exit_code: EXIT.usage });
  expect(error.fix).toContain(variable);
});

test("the server's words are cut at 200 characters, without the key and without the prompt", async () => {
  const message = `Bad key ${KEY}. You asked: "${PROMPT[1]?.content}" ${"and so on ".repeat(60)}`;
  const server = await serve({ faults: [status(422, { message })] });

  const error = await errorOf(chatOnce(server));

  expect(error.what).toMatch(/^the server answered 422: Bad key \[secret\]\. You asked: "\[prompt\]" and so on/);
  expect(error.what.length).toBeLessThanOrEqual("the server answered 422: ".length + 201);
});

test("a password in the address is in no error", async () => {
  const server = await serve({ faults: [status(500, { message: "denied to p4ssw0rd" })] });

  const error = await errorOf(chatOnce(server, { base_url: server.url.replace("//", "//user:p4ssw0rd@") }));

  expect(`${error.message} ${error.stack}`).not.toContain("p4ssw0rd");
});

test("an error in a reply of status 200 is told in the server's words", async () => {
  const server = await serve({ reply: () => ({ choices: null, error: { message: "model is loading" } }) });

  const error = await errorOf(chatOnce(server));

  expect(error.code).toBe("llm_bad_reply");
  expect(error.what).toBe("the reply holds an error instead of choices: model is loading");
});

test("tries again after 408, 409, 429 and 5xx, each wait twice the last, until there is a reply", async () => {
  const faults = [408, 409, 429, 500, 599].map((code) => status(code));
  const server = await serve({ faults });
  const clock = fakeClock();

  const chat = model({ base_url: server.url }, { clock, random: () => 1 });

  expect((await chat.chat(PROMPT)).text).toBe("none");
  expect(server.calls).toBe(6);
  expect(clock.slept).toEqual([250, 500, 1_000, 2_000, 4_000]);
});

test("the wait is a random part of its bound, which stops at 30 s", async () => {
  const server = await serve({ faults: always(status(503)) });
  const clock = fakeClock();
  const parts = [0.5, 0.25, 1, 1, 1, 1, 1, 1, 1];

  const chat = model({ base_url: server.url, num_retries: 9 }, { clock, random: () => parts.shift() ?? 0 });
  const error = await errorOf(chat.chat(PROMPT));

  expect(clock.slept).toEqual([125, 125, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  expect(error.what).toBe("the server answered 503: status 503 as planned (tried 10 times)");
});

test.each([
  [{}, 6],
  [{ max_retries: 2 }, 3],
  [{ num_retries: 1 }, 2],
  [{ max_retries: 2, num_retries: 9 }, 3],
  [{ do_auto_retry: false }, 1],
])("with %o it tries %i times", async (options, tries) => {
  const server = await serve({ faults: always(status(500)) });

  await errorOf(model({ base_url: server.url, ...options }).chat(PROMPT));

  expect(server.calls).toBe(tries);
});

test.each([400, 401, 403, 404, 422])("status %i is tried once", async (code) => {
  const server = await serve({ faults: always(status(code)) });

  const error = await errorOf(model({ base_url: server.url }).chat(PROMPT));

  expect(error.status).toBe(code);
  expect(server.calls).toBe(1);
});

test("a 400 is tried once even when retry_on_errors or 4xx would have it", async () => {
  const server = await serve({ faults: always(status(400)) });
  const options = { base_url: server.url, retry_on_errors: ["400"], retry_on_status_codes: ["4xx"] };

  await errorOf(model(options).chat(PROMPT));

  expect(server.calls).toBe(1);
});

test("retry_on_status_codes replaces the list", async () => {
  const server = await serve({ faults: [status(404), status(500)] });
  const options = { base_url: server.url, retry_on_status_codes: [404] };

  const error = await errorOf(model(options).chat(PROMPT));

  expect(error.status).toBe(500);
  expect(server.calls).toBe(2);
});

test("Retry-After in seconds, and as a date, is waited for, and a shorter one does not shorten the wait", async () => {
  const start = Date.UTC(2026, 0, 1);
  // Twelve seconds on, of which the first try has waited seven.
  const date = new Date(start + 12_000).toUTCString();
  const server = await serve({
    faults: [status(429, { retry_after: 7 }), status(503, { retry_after: date }), status(429, { retry_after: 0 })],
  });
  const clock = fakeClock(start);

  await model({ base_url: server.url }, { clock, random: () => 1 }).chat(PROMPT);

  expect(clock.slept).toEqual([7_000, 5_000, 1_000]);
});

test("a Retry-After of more than a minute is given up at once, and said", async () => {
  const server = await serve({ faults: always(status(429, { retry_after: 61 })) });
  const clock = fakeClock();

  const error = await errorOf(model({ base_url: server.url }, { clock }).chat(PROMPT));

  expect(error).toMatchObject({ code: "llm_status", status: 429 });
  expect(error.what).toContain("it asks to wait 61 s");
  expect(clock.slept).toEqual([]);
  expect(server.calls).toBe(1);
});

test("connection errors are tried again", async () => {
  const server = await serve({ faults: [{ kind: "close" }, { kind: "cut_body" }] });

  expect((await model({ base_url: server.url }).chat(PROMPT)).text).toBe("none");
  expect(server.calls).toBe(3);
});

test("bad and empty replies are not tried again", async () => {
  const server = await serve({ faults: [{ kind: "broken_json" }, { kind: "empty_choices" }] });
  const chat = model({ base_url: server.url });

  await errorOf(chat.chat(PROMPT));
  await errorOf(chat.chat(PROMPT));

  expect(server.calls).toBe(2);
});

test("connections that the server dropped while idle cost no try", async () => {
  const server = await serve({});
  const chat = model({ base_url: server.url, max_retries: 0 });
  for (let call = 0; call < 5; call += 1) {
    await chat.chat(PROMPT);
    server.dropIdle();
  }

  expect(server.calls).toBe(5);
});

test("an abort while it waits for the reply passes through untouched, and ends the request", async () => {
  const controller = new AbortController();
  const reason = new Error("the run was stopped");
  const server = await serve({
    faults: () => {
      controller.abort(reason);
      return { kind: "hang" };
    },
  });

  await expect(model({ base_url: server.url }).chat(PROMPT, { signal: controller.signal })).rejects.toBe(reason);
  expect(server.calls).toBe(1);
});

test("an abort before the call, and while connecting, passes through untouched", async () => {
  const sockets: Socket[] = [];
  const controller = new AbortController();
  // It takes the connection and says nothing.
  const silent = createServer((socket) => {
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  running.push({
    close: () => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    },
  });
  const { port } = silent.address() as { port: number };
  const chat = model({ base_url: `http://127.0.0.1:${port}/v1` });

  const asked = chat.chat(PROMPT, { signal: controller.signal });
  controller.abort("while connecting");

  await expect(asked).rejects.toBe("while connecting");
  await expect(chat.chat(PROMPT, { signal: controller.signal })).rejects.toBe("while connecting");
  expect(sockets.length).toBeLessThanOrEqual(1);
});

test("an abort ends a wait between two tries at once", async () => {
  const server = await serve({ faults: always(status(500)) });
  const controller = new AbortController();
  const clock = {
    now: () => 0,
    // As the system's clock: it ends with the signal's reason, and never otherwise.
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((_resolve, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason));
        controller.abort("while waiting");
      }),
  };

  const asked = model({ base_url: server.url }, { clock }).chat(PROMPT, { signal: controller.signal });

  await expect(asked).rejects.toBe("while waiting");
  expect(server.calls).toBe(1);
});

test("one failing call leaves its neighbours alone", async () => {
  const server = await serve({ faults: (request) => (request.seed === 2 ? { kind: "close" } : null) });
  const chat = model({ base_url: server.url, max_retries: 0 });

  const ended = await Promise.allSettled([1, 2, 3].map((seed) => chat.chat(PROMPT, { seed })));

  expect(ended.map((one) => one.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});
