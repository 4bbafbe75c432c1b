import { HttpFault } from "../http/http-fault.ts";

type Harmless = (value: unknown, body: Record<string, unknown>) => boolean;

const off: Harmless = (value) => value === false;
const empty: Harmless = (value) => isEmpty(value);
// "auto" without tools, which are refused by themselves, calls none.
const none: Harmless = (value) => value === "none" || value === "auto";

/** Fields of OpenAI's and vLLM's APIs that would change the answer and are not honoured here, and the values of them that change nothing. */
const REFUSED: Record<string, { harmless: Harmless; why?: string }> = {
  tools: { harmless: empty, why: "the models here do not call tools" },
  tool_choice: { harmless: none, why: "the models here do not call tools" },
  parallel_tool_calls: { harmless: (value) => typeof value === "boolean" },
  functions: { harmless: empty, why: "the models here do not call functions" },
  function_call: { harmless: none, why: "the models here do not call functions" },
  response_format: { harmless: isTextFormat, why: "replies are text and follow no schema" },
  structured_outputs: { harmless: empty },
  guided_json: { harmless: never },
  guided_regex: { harmless: never },
  guided_choice: { harmless: never },
  guided_grammar: { harmless: never },
  nvext: { harmless: (value) => !Object.keys(value ?? {}).some((key) => key.startsWith("guided_")) },
  best_of: { harmless: (value, { n }) => value === (n ?? 1), why: "as many candidates are made as are given: set n" },
  suffix: { harmless: empty },
  use_beam_search: { harmless: off },
  min_tokens: { harmless: (value) => value === 0 },
  stop_token_ids: { harmless: empty },
  include_stop_str_in_output: { harmless: off },
  skip_special_tokens: { harmless: (value) => value === true },
  add_generation_prompt: { harmless: (value) => value === true },
  continue_final_message: { harmless: off },
  chat_template: { harmless: never },
  chat_template_kwargs: { harmless: empty },
  documents: { harmless: empty },
  allowed_token_ids: { harmless: empty },
  bad_words: { harmless: empty },
  prompt_logprobs: { harmless: never },
  truncate_prompt_tokens: { harmless: never },
  logits_processors: { harmless: empty },
  audio: { harmless: never },
  modalities: { harmless: (value) => Array.isArray(value) && value.every((kind) => kind === "text") },
};

/** Errors: 400 naming the first field that would change the answer and is not honoured. */
export function refuseFields(body: Record<string, unknown>): void {
  for (const name of Object.keys(body)) {
    const refused = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
    const value = body[name];
    if (refused === undefined || value === null || refused.harmless(value, body)) continue;
    throw badParameter(
      name,
      `\`${name}\` is not supported here${refused.why ? `: ${refused.why}` : ""}`,
      "unsupported",
    );
  }
}

/** A 400 that names a field of the body. */
export function badParameter(name: string, msg: string, type = "value_error"): HttpFault {
  return new HttpFault(400, [{ loc: ["body", ...name.split(".")], msg, type }], { "x-should-retry": "false" });
}

function never(): boolean {
  return false;
}

function isTextFormat(value: unknown): boolean {
  return typeof value === "object" && value !== null && "type" in value && value.type === "text";
}

function isEmpty(value: unknown): boolean {
  if (typeof value === "string" || Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
