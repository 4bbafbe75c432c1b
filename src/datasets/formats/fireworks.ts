import { openAiDialect } from "./openai-dialect.ts";

/** What Fireworks takes: content is a text, and the roles are system, user and assistant alone. */
export const fireworks = openAiDialect({ holds_tools: false, outputs: "one", holds_developer: false });
