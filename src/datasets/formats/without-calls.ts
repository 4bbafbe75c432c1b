import type { Message } from "../../records/message.ts";
import type { ReadPair } from "../../registry/training.ts";

/** The pair without calls of tools and their results: what `--allow-loss` writes. `undefined` when a side has no text then. */
export function withoutCalls(pair: ReadPair): ReadPair | undefined {
  const chosen = textsOnly(pair.chosen);
  const rejected = textsOnly(pair.rejected);
  if (chosen.length === 0 || rejected.length === 0) return undefined;
  if (JSON.stringify(chosen) === JSON.stringify(rejected)) return undefined;
  const { tools: _, ...others } = pair;
  return { ...others, prompt: textsOnly(pair.prompt), chosen, rejected };
}

function textsOnly(messages: readonly Message[]): Message[] {
  const texts: Message[] = [];
  for (const { tool_calls, tool_call_id: _, ...message } of messages) {
    const wasOnlyCall = tool_calls !== undefined && message.content === "";
    if (message.role !== "tool" && !wasOnlyCall) texts.push(message);
  }
  return texts;
}
