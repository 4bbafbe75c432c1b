import { openAiDialect } from "./openai-dialect.ts";

/** What Together AI takes: exactly one message of the assistant a side, and no tools. */
export const together = openAiDialect({ holds_tools: false, outputs: "one", holds_developer: false });
