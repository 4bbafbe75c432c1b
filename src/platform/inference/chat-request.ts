import { z } from "zod";
import type { TextRequest } from "../../engine/generate/text-service.ts";
import { commonFields, MOST_CANDIDATES, MOST_LOGPROBS, samplingOf } from "./sampling-fields.ts";

const Part = z.looseObject({ type: z.string(), text: z.string().optional() });

/** A message; what a chat template may read beside these fields is let through. */
const ChatMessage = z.looseObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  /** A message that only calls tools has none. */
  content: z
    .union([z.string(), z.array(Part)])
    .nullish()
    .transform((content) => content ?? ""),
});

export const ChatRequest = z.object({
  ...commonFields,
  messages: z.array(ChatMessage).min(1).max(10_000),
  max_completion_tokens: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(MOST_LOGPROBS).nullish(),
  echo: z.literal(false, "is not supported for chats").nullish(),
  /** Ours: a seed for each choice, which then is the reply of a request of its own with this seed. */
  pairwright: z.strictObject({ seeds: z.array(z.int()).min(1).max(MOST_CANDIDATES) }).nullish(),
});
export type ChatRequest = z.output<typeof ChatRequest>;

/** The conversation as the engine takes it. */
export function chatTextRequest(body: ChatRequest, seed: number): TextRequest {
  const { max_completion_tokens, logprobs, top_logprobs, pairwright } = body;
  return {
    ...samplingOf({ ...body, max_tokens: max_completion_tokens ?? body.max_tokens }),
    prompt: { messages: body.messages as Extract<TextRequest["prompt"], { messages: unknown }>["messages"] },
    seed,
    ...(pairwright ? { seeds: pairwright.seeds, n: body.n ?? pairwright.seeds.length } : {}),
    ...(logprobs ? { logprobs: top_logprobs ?? 0 } : {}),
  };
}
