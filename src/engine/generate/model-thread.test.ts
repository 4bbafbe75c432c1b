import { getEventListeners, once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PairwrightError } from "../../lib/errors.ts";
import { TINY } from "../../tokens/__fixtures__/tiny-tokenizer.ts";
import { TINY_MODEL, type TrainingPlace, trainingPlace } from "../__fixtures__/model-folder.ts";
import { writeAdapter } from "../weights/adapter.ts";
import type { TextPiece } from "./job.ts";
import { ModelConnection, startModel } from "./model-connection.ts";
import type { Call } from "./model-messages.ts";
import { type ModelThread, openModelThread } from "./model-thread.ts";
import { probeAdapter } from "./probe-adapter.ts";
import { openTextService, type TextRequest, type TextService } from "./text-service.ts";

let place: TrainingPlace;
let thread: ModelThread;
let service: TextService;
let adapter_dir: string;

beforeAll(async () => {
  place = await trainingPlace();
  adapter_dir = join(place.dir, "adapter");
  await writeAdapter(adapter_dir, { ...probeAdapter(TINY_MODEL), base_model_name_or_path: null });
  const options = { model_dir: place.model, threads: 1, max_batch: 4, adapters: true };
  [thread, service] = await Promise.all([openModelThread(options), openTextService(options)]);
});
afterAll(async () => {
  await Promise.all([thread.close(), service.close()]);
  await place[Symbol.asyncDispose]();
});

const MESSAGES = [{ role: "user" as const, content: "hello world" }];
const REQUESTS: TextRequest[] = [
  { prompt: { messages: MESSAGES }, n: 3, seed: 5, max_tokens: 12 },
  { prompt: { text: "You play" }, max_tokens: 8, temperature: 0, logprobs: 2 },
  { prompt: { token_ids: [270, 271] }, max_tokens: 5, seed: 1, stop: ["a"], logit_bias: new Map([[270, 3]]) },
];

test("a request gets what the model in this process gives, words in and words out", async () => {
  expect(thread.context_length).toBe(128);
  expect(thread.bytes).toBeGreaterThan(30 * 2 ** 20);
  const expected = await Promise.all(REQUESTS.map((request) => service.generate(request)));
  const made = await Promise.all(REQUESTS.map((request) => thread.generate(request)));
  expect(made).toEqual(expected);
  expect(made.map(({ prompt_tokens }) => prompt_tokens)).toEqual([10, 6, 2]);
  expect(made[0]!.completions.map(({ completion_tokens }) => completion_tokens)).toEqual([12, 12, 12]);
});

test("log-probabilities come with the texts of their tokens and their bytes", async () => {
  const request: TextRequest = {
    prompt: { text: "hello" },
    max_tokens: 3,
    temperature: 0,
    logprobs: 1,
    // A byte that is no character alone, a word, and the end.
    logit_bias: { [TINY.first_byte + 0xe2]: 60, [TINY.im_end]: -60 },
    presence_penalty: 100,
  };
  const { completions } = await thread.generate(request);
  const [made] = completions;
  expect(made!.logprobs).toHaveLength(3);
  expect(made!.logprobs![0]).toMatchObject({ token_id: TINY.first_byte + 0xe2, token: "\uFFFD", bytes: [0xe2] });
  for (const { token, bytes, logprob, top } of made!.logprobs!.slice(1)) {
    expect(Buffer.from(bytes).toString()).toBe(token);
    expect(logprob).toBeLessThan(0);
    expect(top).toHaveLength(1);
    expect(Object.keys(top[0]!).sort()).toEqual(["bytes", "logprob", "token", "token_id"]);
  }
});

test("text comes in pieces that are the text, of all candidates", async () => {
  const pieces: TextPiece[] = [];
  const { completions } = await thread.generate(REQUESTS[0]!, { on_text: (piece) => pieces.push(piece) });
  expect(completions).toHaveLength(3);
  for (const { index, text } of completions) {
    const own = pieces.filter((piece) => piece.index === index);
    expect(own.map((piece) => piece.text).join("")).toBe(text);
    expect(own.length).toBeGreaterThan(3);
  }
});

test("what a listener throws ends its own request, and the others go on", async () => {
  const throwing = thread.generate(REQUESTS[0]!, {
    on_text() {
      throw new Error("nobody listens");
    },
  });
  const [bad, good] = await Promise.allSettled([throwing, thread.generate(REQUESTS[1]!)]);
  expect(bad).toMatchObject({ status: "rejected", reason: { message: "nobody listens" } });
  expect(good).toMatchObject({ status: "fulfilled" });
});

test("an aborted request gives what it has, and its place goes to the next one", async () => {
  const stop = new AbortController();
  // So many candidates that most of them have yet to begin when the abort arrives, however busy the machine is.
  const endless = { prompt: { text: "a" }, stop_token_ids: [], n: 200 };
  const running = thread.generate(endless, { signal: stop.signal, on_text: () => stop.abort() });
  const next = thread.generate({ prompt: { text: "a" }, max_tokens: 1 });
  const { completions } = await running;
  expect(completions).toHaveLength(200);
  expect(completions[0]!.token_ids.length).toBeGreaterThan(0);
  expect(completions.at(-1)).toMatchObject({ finish_reason: "abort", token_ids: [] });
  await next;
  const too_late = await thread.generate(endless, { signal: AbortSignal.abort() });
  expect(too_late.completions.map(({ completion_tokens }) => completion_tokens)).toEqual(Array(200).fill(0));
  expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
});

test("adapters come and go while it runs, and each request names its own", async () => {
  const request = { prompt: { text: "You play" }, max_tokens: 8, temperature: 0, logprobs: 0 };
  const plain = await thread.generate(request);
  await thread.addAdapter("tuned", adapter_dir);
  await service.addAdapter("tuned", adapter_dir);
  const [base, tuned] = await Promise.all([
    thread.generate(request),
    thread.generate({ ...request, adapter: "tuned" }),
  ]);
  expect(base).toEqual(plain);
  expect(tuned).toEqual(await service.generate({ ...request, adapter: "tuned" }));
  expect(tuned.completions[0]!.logprobs).not.toEqual(plain.completions[0]!.logprobs);
  await thread.removeAdapter("tuned");
  await expect(thread.generate({ ...request, adapter: "tuned" })).rejects.toMatchObject({ code: "adapter_not_found" });
  await expect(thread.addAdapter("other", place.model)).rejects.toMatchObject({ code: "model_not_found" });
});

test.each<[string, TextRequest, object]>([
  [
    "a field that is not right",
    { prompt: { text: "a" }, top_p: 2 },
    { code: "bad_request", where: "top_p", exit_code: 2 },
  ],
  ["an empty prompt", { prompt: { text: "" } }, { code: "bad_request", where: "prompt" }],
  ["a prompt that is too long", { prompt: { text: "x".repeat(200) } }, { code: "prompt_too_long" }],
  [
    "a message that is no text",
    { prompt: { messages: [{ role: "user", content: [{ type: "image_url" }] }] } },
    { code: "content_unsupported" },
  ],
])("errors cross with what they know: %s", async (_, request, error) => {
  const failing = thread.generate(request);
  await expect(failing).rejects.toMatchObject(error);
  await expect(failing).rejects.toBeInstanceOf(PairwrightError);
});

test("a conversation that the chat template refuses is an error of its own, and so is a folder without one", async () => {
  await using other = await trainingPlace();
  const template = join(other.model, "chat_template.jinja");
  await writeFile(
    template,
    "{%- if messages[0].role == 'tool' %}{{- raise_exception('no tools here') }}{%- endif %}" +
      (await readFile(template, "utf8")),
  );
  const options = { model_dir: other.model, threads: 1, max_batch: 1 };
  const opened = await openTextService(options);
  const messages = [{ role: "tool" as const, content: "x" }];
  await expect(opened.generate({ prompt: { messages } })).rejects.toMatchObject({
    code: "template_failed",
    what: "the chat template refuses the conversation: no tools here",
  });
  await opened.close();
  await rm(template);
  const bare = await openTextService(options);
  await expect(bare.generate({ prompt: { messages } })).rejects.toMatchObject({ code: "template_missing" });
  expect(await bare.generate({ prompt: { text: "a" }, max_tokens: 1 })).toMatchObject({ prompt_tokens: 1 });
  await bare.close();
});

test("a folder that cannot be opened is that error, and nothing stays behind", async () => {
  const missing = openModelThread({ model_dir: join(place.dir, "nowhere"), threads: 1, max_batch: 1 });
  await expect(missing).rejects.toMatchObject({ code: "model_not_found", exit_code: 2 });
  const late = AbortSignal.timeout(20);
  const stopped = openModelThread({ model_dir: place.model, threads: 1, max_batch: 1 }, { signal: late });
  await expect(stopped).rejects.toMatchObject({ name: "TimeoutError" });
});

test("a process that nobody is connected to any more ends by itself, also in the middle of a text", async () => {
  const options = { model_dir: place.model, threads: 1, max_batch: 1 };
  const child = startModel();
  const opened = once(child, "message");
  child.send([{ kind: "open", id: 1, options }] satisfies Call[]);
  expect((await opened)[0]).toMatchObject({ news: [{ kind: "ready", id: 1 }] });
  const request = { prompt: { text: "a" }, stop_token_ids: [] };
  child.send([{ kind: "generate", id: 2, request, streams: true }] satisfies Call[]);
  await once(child, "message");
  child.disconnect();
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("closing ends what runs and what waits with an error", async () => {
  const own = await openModelThread({ model_dir: place.model, threads: 1, max_batch: 1 });
  const endless = { prompt: { text: "a" }, stop_token_ids: [] };
  const running = Promise.allSettled([1, 2, 3].map(() => own.generate(endless)));
  await own.close();
  expect(await own.gone).toBeNull();
  for (const result of await running) expect(result).toMatchObject({ reason: { code: "generator_closed" } });
  await expect(own.generate(endless)).rejects.toMatchObject({ code: "generator_closed" });
  await own.close();
});

test("a process that dies fails every request that waits for it, and is known to be gone", async () => {
  const connection = new ModelConnection(place.model);
  const options = { model_dir: place.model, threads: 1, max_batch: 1 };
  await connection.ask((id) => ({ kind: "open", id, options }));
  const request = { prompt: { text: "a" }, stop_token_ids: [] };
  const ask = () => connection.ask((id) => ({ kind: "generate", id, request, streams: false }));
  const running = Promise.allSettled([ask(), ask(), ask()]);
  connection.kill();
  const what = "the model's process was killed by SIGKILL, as a machine that runs out of memory does";
  const died = { code: "model_died", where: place.model, what };
  for (const result of await running) expect(result).toMatchObject({ reason: died });
  expect(await connection.gone).toMatchObject(died);
  await expect(ask()).rejects.toMatchObject(died);
  await connection.close();
});
