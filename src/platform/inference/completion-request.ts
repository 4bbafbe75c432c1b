import { z } from "zod";
import type { TextRequest } from "../../engine/generate/text-service.ts";
import { badParameter } from "./refused-fields.ts";
import { commonFields, MOST_LOGPROBS, samplingOf } from "./sampling-fields.ts";

const TokenIds = z.array(z.int().min(0)).min(1);
const MOST_PROMPTS = 1024;
/** Of all prompts of a request together. */
const MOST_CHOICES = 2048;

export const CompletionRequest = z.object({
  ...commonFields,
  prompt: z.union([
    z.string(),
    TokenIds,
    z.array(z.string()).min(1).max(MOST_PROMPTS),
    z.array(TokenIds).min(1).max(MOST_PROMPTS),
  ]),
  /** `true` is the chosen tokens' alone, as some clients send it. */
  logprobs: z.union([z.boolean(), z.int().min(0).max(MOST_LOGPROBS)]).nullish(),
  echo: z.boolean().nullish(),
});
export type CompletionRequest = z.output<typeof CompletionRequest>;

/** What OpenAI makes where nobody says how much. */
const FEW_TOKENS = 16;

/**
 * One request for each prompt, all with one seed: each is answered as if it had come alone. Errors: 400 for `echo`
 * where it cannot be, and for too many choices.
 */
export function completionTextRequests(body: CompletionRequest, seed: number): TextRequest[] {
  const { logprobs, echo } = body;
  const prompts = promptsOf(body.prompt);
  if (prompts.length * (body.n ?? 1) > MOST_CHOICES) {
    throw badParameter("n", `${prompts.length} prompts with n = ${body.n} are more than ${MOST_CHOICES} choices`);
  }
  const ask = logprobs === true ? 0 : logprobs;
  if (echo && typeof ask === "number") throw badParameter("echo", "`echo` is not supported together with `logprobs`");
  if (echo && !prompts.every((prompt) => "text" in prompt)) {
    throw badParameter("echo", "`echo` is not supported for a prompt of token ids");
  }
  const shared = samplingOf({ ...body, max_tokens: body.max_tokens ?? FEW_TOKENS });
  return prompts.map((prompt) => ({ ...shared, prompt, seed, ...(typeof ask === "number" ? { logprobs: ask } : {}) }));
}

function promptsOf(prompt: CompletionRequest["prompt"]): TextRequest["prompt"][] {
  if (typeof prompt === "string") return [{ text: prompt }];
  if (isTokenIds(prompt)) return [{ token_ids: prompt }];
  return prompt.map((one) => (typeof one === "string" ? { text: one } : { token_ids: one }));
}

function isTokenIds(prompt: CompletionRequest["prompt"]): prompt is number[] {
  return typeof prompt[0] === "number";
}
