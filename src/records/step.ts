import { z } from "zod";

const CATEGORIES = ["LLM", "TOOL", "WORKFLOW", "TASK", "TTC", "FUNCTION", "CUSTOM"] as const;

/** The event types of the seeds' intermediate steps. */
export const EventType = z.enum([
  ...CATEGORIES.flatMap((category) => [`${category}_START` as const, `${category}_END` as const]),
  "LLM_NEW_TOKEN",
  "SPAN_START",
  "SPAN_CHUNK",
  "SPAN_END",
]);
export type EventType = z.infer<typeof EventType>;

/** Which function of the workflow a step happened in, and which one called that. */
export const InvocationNode = z.strictObject({
  function_id: z.string(),
  function_name: z.string(),
  parent_id: z.string().nullable(),
  parent_name: z.string().nullable(),
});
export type InvocationNode = z.infer<typeof InvocationNode>;

/** Tokens of one call, as the seeds' steps carry them. */
export const StepUsage = z.looseObject({
  token_usage: z.looseObject({
    prompt_tokens: z.number(),
    completion_tokens: z.number(),
    total_tokens: z.number(),
  }),
  num_llm_calls: z.number().optional(),
});
export type StepUsage = z.infer<typeof StepUsage>;

export const StepPayload = z.looseObject({
  event_type: EventType,
  /** Seconds since 1970. */
  event_timestamp: z.number(),
  span_event_timestamp: z.number().nullish(),
  framework: z.string().nullish(),
  name: z.string().nullish(),
  tags: z.array(z.string()).nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  data: z.looseObject({ input: z.unknown().optional(), output: z.unknown().optional() }).nullish(),
  usage_info: StepUsage.nullish(),
  UUID: z.string(),
});
export type StepPayload = z.infer<typeof StepPayload>;

/** One event of a run: what began or ended, inside which function, under which open step. */
export const IntermediateStep = z.looseObject({
  parent_id: z.string(),
  function_ancestry: InvocationNode,
  payload: StepPayload,
});
export type IntermediateStep = z.infer<typeof IntermediateStep>;
