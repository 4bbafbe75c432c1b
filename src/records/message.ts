import { z } from "zod";

/** A call of a tool that an assistant message asks for, as in the OpenAI chat protocol. */
export const ToolCall = z.looseObject({
  id: z.string().optional(),
  type: z.literal("function").default("function"),
  function: z.looseObject({
    name: z.string(),
    /** JSON text, as the model wrote it: it may not parse. */
    arguments: z.string(),
  }),
});
export type ToolCall = z.infer<typeof ToolCall>;

/** A piece of a message that is not only text, such as an image. */
export const ContentPart = z.looseObject({ type: z.string(), text: z.string().optional() });
export type ContentPart = z.infer<typeof ContentPart>;

/** One message of a conversation. Structured here; only the writers of data-set files flatten it. */
export const Message = z.strictObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  content: z.union([z.string(), z.array(ContentPart)]),
  name: z.string().optional(),
  tool_calls: z.array(ToolCall).optional(),
  tool_call_id: z.string().optional(),
  /** What the model thought before it answered, where the server tells. */
  reasoning: z.string().optional(),
});
export type Message = z.infer<typeof Message>;

/** A tool that a model may call, as in the OpenAI chat protocol. */
export const Tool = z.looseObject({
  type: z.literal("function"),
  function: z.looseObject({ name: z.string(), description: z.string().optional(), parameters: z.unknown().optional() }),
});
export type Tool = z.infer<typeof Tool>;
