import { z } from "zod";
import type { TextRequest } from "../../engine/generate/text-service.ts";
import { given } from "../entities/given.ts";

export const MOST_CANDIDATES = 128;
/** As vLLM has it. */
export const MOST_LOGPROBS = 20;

/** What chat and completion requests have in common: OpenAI's fields, and those of vLLM that the engine honours. */
export const commonFields = {
  model: z.string(),
  n: z.int().min(1).max(MOST_CANDIDATES).nullish(),
  max_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(100).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  /** 0 and -1 are all. */
  top_k: z.int().min(-1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(64)]).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  repetition_penalty: z.number().min(0.01).max(100).nullish(),
  logit_bias: z.record(z.string().regex(/^\d+$/, "must be a token id"), z.number().min(-100).max(100)).nullish(),
  ignore_eos: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
};

type CommonFields = z.output<z.ZodObject<typeof commonFields>>;

/** How tokens are chosen, in the engine's words. What is left out is OpenAI's default, which is the engine's too. */
export function samplingOf(fields: CommonFields): Omit<TextRequest, "prompt" | "seed"> {
  const { n, max_tokens, temperature, top_p, top_k, min_p, stop } = fields;
  const { presence_penalty, frequency_penalty, repetition_penalty, logit_bias } = fields;
  const sampling = { n, max_tokens, temperature, top_p, min_p, presence_penalty, frequency_penalty };
  return {
    ...given({ ...sampling, repetition_penalty, logit_bias }),
    ...(top_k ? { top_k: Math.max(0, top_k) } : {}),
    ...(stop ? { stop: typeof stop === "string" ? [stop] : stop.filter((text) => text !== "") } : {}),
    ...(fields.ignore_eos ? { stop_token_ids: [] } : {}),
  };
}
