import { openAiDialect } from "./openai-dialect.ts";

/** What OpenAI's fine-tuning by preferences takes: each output is one message of the assistant, which may call tools. */
export const openAi = openAiDialect({ holds_tools: true, outputs: "one", holds_developer: true });
