// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts under test hold variables
import { expect, test } from "vitest";
import { errorOf, load } from "./__fixtures__/loading.ts";
import { isSecretName, redact, redactText, userinfoSecrets } from "./redact.ts";

const KEY = "sk-MARKED-0123456789";

test("names that hold secrets are told from names that only sound like them", () => {
  const secret = [
    "api_key",
    "apiKey",
    "OPENAI_API_KEY",
    "hf_token",
    "HF_TOKEN",
    "token",
    "password",
    "DB_PASSWORD",
    "secret",
    "client_secret",
    "AWS_SECRET_ACCESS_KEY",
    "authorization",
    "Authorization",
    "x-api-key",
    "private_key",
    "ngc_api_key",
    "API_KEY_2",
  ];
  const harmless = [
    "id_key",
    "question_key",
    "answer_key",
    "generated_answer_key",
    "group_key",
    "prompt_key",
    "max_tokens",
    "stop_token",
    "eos_token",
    "tokenizer",
    "author",
    "model_name",
    "keyboard",
    "monkey",
  ];

  expect(secret.filter((name) => !isSecretName(name))).toEqual([]);
  expect(harmless.filter(isSecretName)).toEqual([]);
});

test("secret members, header values and what URLs carry are redacted, the rest is left alone", () => {
  const value = {
    api_key: KEY,
    hf_token: "",
    id_key: "id",
    headers: { "X-Team": "blue" },
    base_url: "https://user:pass@host:1/v1?api_key=abc&n=1",
    nested: [{ password: "p", retries: 2 }],
    none: null,
  };

  expect(redact(value)).toEqual({
    api_key: "[redacted]",
    hf_token: "",
    id_key: "id",
    headers: { "X-Team": "[redacted]" },
    base_url: "https://host:1/v1?api_key=[redacted]&n=1",
    nested: [{ password: "[redacted]", retries: 2 }],
    none: null,
  });
  expect(redactText(`a ${KEY} b`, [KEY])).toBe("a [redacted] b");
});

test("a value from a secret variable is redacted wherever it stands, in the middle of a text and as a number too", async () => {
  const config = await load(
    `llms: {a: {_type: openai, model_name: "team-\${SOME_TOKEN}-model", base_url: "https://h/\${PIN_SECRET}/v1"}}
eval: {general: {workflow_alias: "\${PIN_SECRET}", output_dir: "runs/\${PIN_SECRET}"}}
functions: {f: {_type: choose_move, prompt: "literally ${KEY}"}}
`,
    { env: { SOME_TOKEN: KEY, PIN_SECRET: "42" } },
  );

  expect(config.llms.a?.options.model_name).toBe(`team-${KEY}-model`);
  expect(config.effective).toMatchObject({
    llms: { a: { model_name: "team-[redacted]-model", base_url: "https://h/[redacted]/v1", max_retries: 10 } },
    eval: { general: { workflow_alias: "[redacted]", output_dir: "runs/[redacted]" } },
    functions: { f: { prompt: "literally [redacted]" } },
  });
  expect(config.original_text).toContain("team-${SOME_TOKEN}-model");
  expect(JSON.stringify([config.effective, config.original_text])).not.toContain("MARKED");
});

test("a key written into the file, or given by an override, is in neither text that is kept", async () => {
  const config = await load(
    `# api_key: ${KEY}a
llms:
  a: {_type: openai, model_name: m, api_key: ${KEY}b}
  b:
    _type: openai
    model_name: n
    api_key: |
      ${KEY}c
    headers: {Cookie: "${KEY}d"}
    base_url: http://u:${KEY}e@h/v1
`,
    { overrides: [["llms.b.api_key", `${KEY}f`]] },
  );

  expect(config.llms.a?.options.api_key).toBe(`${KEY}b`);
  expect(JSON.stringify([config.effective, config.original_text])).not.toContain("MARKED");
  expect(config.original_text).toContain('api_key: "[redacted]"}');
});

test("no fault holds a key, whatever is wrong around it", async () => {
  const error = await errorOf(
    `base: base.yml
llms:
  a: {_type: "\${SOME_API_KEY}", api_key: ${KEY}2}
  b: {_type: openai, model_name: "\${SOME_API_KEY}", api_key: 5, api_kee: ${KEY}3, temperature: "\${SOME_API_KEY}"}
functions: {f: {_type: choose_move, llm: "\${SOME_API_KEY}", prompt: "file://\${SOME_API_KEY}.md"}}
plugins: ["./\${SOME_API_KEY}.ts"]
split: ${KEY}2
`.replace("base: base.yml\n", ""),
    {
      env: { SOME_API_KEY: KEY },
      overrides: [
        ["llms.b.max_retries", KEY],
        ["llms.b.api_key", "[1]"],
      ],
    },
  );

  expect(error.problems.length).toBeGreaterThan(7);
  expect(JSON.stringify([error.message, error.problems, error.fix])).not.toContain("MARKED");
  // A file that is not YAML at all keeps its secrets as well.
  const broken = await errorOf(`llms: {a: {api_key: "${KEY}\n  b: [${KEY}\n`);
  expect(JSON.stringify([broken.message, broken.problems])).not.toContain("MARKED");
});

test("a component may be named like a secret without hiding what it says", async () => {
  const config = await load(
    "llms: {secret_model: {_type: openai, model_name: m}}\neval: {evaluators: {token: {_type: dpo_game_outcome}}}\n",
  );

  expect(config.effective).toMatchObject({
    llms: { secret_model: { _type: "openai", model_name: "m" } },
    eval: { evaluators: { token: { _type: "dpo_game_outcome" } } },
  });
  expect(config.original_text).toContain("model_name: m");
});

test("a dummy for a key is hidden where it stands, and stays where it is a word", async () => {
  const config = await load(`llms: {a: {_type: openai, model_name: ollama/llama, api_key: ollama}}
functions: {f: {_type: choose_move, prompt: "Install ollama."}}
`);

  expect(config.effective).toMatchObject({
    llms: { a: { model_name: "ollama/llama", api_key: "[redacted]" } },
    functions: { f: { prompt: "Install ollama." } },
  });
  expect(config.original_text).toContain('api_key: "[redacted]"');
  expect(config.original_text).toContain("Install ollama.");
});

test("headers of ordinary words are hidden, but looked for nowhere", async () => {
  const headers = `{Content-Type: application/json, X-Title: My Own Application 1, X-Team-Key: ${KEY}}`;
  const config = await load(`llms: {a: {_type: openai, model_name: m, headers: ${headers}}}
`);

  expect(config.secrets).toEqual([KEY]);
  expect(config.effective).toMatchObject({
    llms: { a: { headers: { "Content-Type": "[redacted]", "X-Title": "[redacted]", "X-Team-Key": "[redacted]" } } },
  });
});

test("the password in a URL is a secret in every form that a program might show", () => {
  expect(userinfoSecrets("see http://user:p%40ss-word@host/v1 and http://host")).toEqual([
    "p%40ss-word",
    "p@ss-word",
    Buffer.from("user:p@ss-word").toString("base64"),
  ]);
  expect(userinfoSecrets("http://user@host")).toEqual([]);
});
