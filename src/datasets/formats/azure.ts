import { openAiDialect } from "./openai-dialect.ts";

/** What Azure OpenAI takes: outputs may be several messages, of the assistant and of tools. */
export const azure = openAiDialect({ holds_tools: true, outputs: "several", holds_developer: true });
