import { expect, test } from "vitest";
import { serverWords } from "./server-words.ts";

test.each([
  ["OpenAI's", { error: { message: "no such model", code: 404 } }, "no such model"],
  ["a gateway's", { error: "no such model" }, "no such model"],
  ["vLLM's", { object: "error", message: "too long" }, "too long"],
  ["FastAPI's", { detail: [{ loc: ["body"], msg: "field required", input: { messages: [] } }] }, "field required"],
  ["NIM's", { title: "Not Found", detail: "no function" }, "no function"],
  ["one that says nothing", { status: 500 }, ""],
])("finds the words in %s JSON, and shows nothing else of it", (_, body, words) => {
  expect(serverWords(JSON.stringify(body), [], [])).toBe(words);
});

test("a page of HTML is told as its text, cut at 200 characters", () => {
  const words = serverWords(`<html><h1>502  Bad Gateway</h1>${"<p>nginx</p>".repeat(200)}</html>`, [], []);

  expect(words).toMatch(/^502 Bad Gateway nginx/);
  expect(words).toHaveLength(201);
});

test("every occurrence of a secret is taken out before the cut", () => {
  const words = serverWords(`${"a".repeat(195)}SECRETKEY and SECRETKEY`, ["SECRETKEY", ""], []);

  expect(words).toBe(`${"a".repeat(195)}[secr…`);
});

test("a stretch of the prompt is taken out, words that only happen to agree are not", () => {
  const prompt = [
    { role: "user" as const, content: "Tell me the balance of account 4711 please, and the model name." },
  ];

  expect(serverWords("cannot parse: the balance of account 4711 please", [], prompt)).toBe("cannot parse:[prompt]");
  expect(serverWords("the balance of account 4711 is no JSON", [], prompt)).toBe("[prompt]is no JSON");
  expect(serverWords("the model name is unknown", [], prompt)).toBe("the model name is unknown");
});
