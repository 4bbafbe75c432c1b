import type { Message } from "../../records/message.ts";
import { textOf } from "../../records/message-text.ts";
import { messagesOf, toolsOf } from "../../records/messages-of.ts";
import type { DatasetFormat, ReadPair } from "../../registry/training.ts";
import { lostFields } from "./lost-fields.ts";
import { isOfTool } from "./reply-text.ts";
import { isRow } from "./row-fields.ts";

/** In what the takers of OpenAI's preference format differ. */
export interface Dialect {
  /** Whether messages may call tools, and `input` may hold them. */
  holds_tools: boolean;
  /** What an output may be: one message of the assistant, or several of the assistant and of tools. */
  outputs: "one" | "several";
  /** Whether there is a role `developer`; else it is `system`. */
  holds_developer: boolean;
}

/**
 * OpenAI's preference format: `{input: {messages, tools, parallel_tool_calls}, preferred_output, non_preferred_output}`.
 * Content is text; thoughts and scores are lost.
 */
export function openAiDialect(dialect: Dialect): DatasetFormat {
  const write = (message: Message) => openAiMessage(message, dialect);
  return {
    never_holds: ["scores"],

    prompt: ({ prompt }) => prompt.map(write),

    row(pair) {
      const reason = whyNot(pair, dialect);
      if (reason !== undefined) return { row: null, lost: [reason] };
      const tools =
        dialect.holds_tools && pair.tools !== undefined ? { tools: pair.tools, parallel_tool_calls: true } : {};
      const row = {
        input: { messages: pair.prompt.map(write), ...tools },
        preferred_output: pair.chosen.map(write),
        non_preferred_output: pair.rejected.map(write),
      };
      const fields = ["reasoning", "content_parts", ...(dialect.holds_tools ? [] : (["name"] as const))] as const;
      return { row, lost: lostFields(pair, { tools: !dialect.holds_tools, prompt: fields, sides: fields }) };
    },

    read: readOpenAi,
  };
}

function whyNot({ prompt, chosen, rejected }: ReadPair, { holds_tools, outputs }: Dialect): string | undefined {
  const all = [...prompt, ...chosen, ...rejected];
  if (!holds_tools && all.some(isOfTool)) return "tool_calls";
  for (const side of [chosen, rejected]) {
    const isHeld =
      outputs === "one"
        ? side.length === 1 && side[0]?.role === "assistant"
        : side.length > 0 && side.every(({ role }) => role === "assistant" || role === "tool");
    if (!isHeld) return side.some(isOfTool) ? "tool_calls" : "several_messages";
  }
  return undefined;
}

function openAiMessage(message: Message, { holds_developer, holds_tools }: Dialect): Record<string, unknown> {
  const { role, name, tool_calls, tool_call_id } = message;
  const content = textOf(message);
  return {
    role: role === "developer" && !holds_developer ? "system" : role,
    // A message that only calls has no content.
    ...((content !== "" || tool_calls === undefined) && { content }),
    ...(name !== undefined && holds_tools && { name }),
    ...(tool_calls !== undefined && { tool_calls }),
    ...(tool_call_id !== undefined && { tool_call_id }),
  };
}

function readOpenAi(row: unknown): ReturnType<NonNullable<DatasetFormat["read"]>> {
  if (!isRow(row, "input", "preferred_output", "non_preferred_output")) return undefined;
  const input = isRow(row.input, "messages") ? row.input : undefined;
  const prompt = messagesOf(input?.messages, "user");
  const chosen = messagesOf(row.preferred_output, "assistant");
  const rejected = messagesOf(row.non_preferred_output, "assistant");
  if (prompt === undefined || chosen === undefined || rejected === undefined) {
    return { problem: "input.messages, preferred_output and non_preferred_output must be lists of messages" };
  }
  const tools = toolsOf(input?.tools);
  return { prompt, chosen, rejected, ...(tools !== undefined && { tools }) };
}
