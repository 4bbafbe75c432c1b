import type { Message } from "../../records/message.ts";
import { textOf } from "../../records/message-text.ts";
import { isBlank } from "../content.ts";

/**
 * What of a rollout becomes a side of a pair: `text`, what the assistant said last; `turn`, all after the prompt, calls
 * of tools and their results included; `divergence`, of two rollouts the first turn in which they differ.
 */
export type CompletionMode = "text" | "turn" | "divergence";
export const COMPLETION_MODES = ["text", "turn", "divergence"] as const satisfies readonly CompletionMode[];

/** A side as it is compared, and what it leaves out of the rollout. */
export interface Side {
  messages: Message[];
  /** Of one text: that text. */
  text: string;
  lost: readonly string[];
}

/** Why a rollout has no side: `empty`, `only_reasoning` (it thought and said nothing), `no_final_text` (it ends with a call). */
export type NoSide = "empty" | "only_reasoning" | "no_final_text";

/**
 * The side that a rollout gives. With `text`, what came before the last text is lost and named: `tool_calls`, or `turns`
 * where it was only talk. Otherwise nothing is, but what comes after the assistant's last turn.
 */
export function sideOf(completion: Message[], mode: CompletionMode): Side | NoSide {
  const last = completion.findLastIndex(({ role }) => role === "assistant");
  const final = completion[last];
  if (final === undefined) return "empty";
  if (mode !== "text") {
    const messages = last === completion.length - 1 ? completion : completion.slice(0, last + 1);
    return emptiness(messages) ?? { messages, text: "", lost: NOTHING };
  }
  if (final.tool_calls !== undefined || last < completion.length - 1) return "no_final_text";
  const none = emptiness([final]);
  if (none !== undefined) return none;
  // Reasoning is no part of the text.
  const text = textOf(final);
  return { messages: [{ role: "assistant", content: text }], text, lost: lostBefore(completion, last) };
}

const NOTHING: readonly string[] = [];
const CALLS: readonly string[] = ["tool_calls"];
const TURNS: readonly string[] = ["turns"];

function lostBefore(completion: readonly Message[], last: number): readonly string[] {
  if (last === 0) return NOTHING;
  return completion.some(({ role, tool_calls }) => role === "tool" || tool_calls !== undefined) ? CALLS : TURNS;
}

/** Why nothing can be learnt of these messages, if nothing can. */
export function emptiness(messages: readonly Message[]): "empty" | "only_reasoning" | undefined {
  if (!isBlank(messages)) {
    const isThought = ({ role, content, tool_calls }: Message) =>
      role !== "assistant" || (tool_calls === undefined && typeof content === "string" && isOnlyThought(content));
    return messages.every(isThought) ? "only_reasoning" : undefined;
  }
  return messages.some(({ reasoning }) => reasoning !== undefined) ? "only_reasoning" : "empty";
}

const OPENS = "<think>";
const CLOSES = "</think>";

/** Whether a text is a thought that was never ended, or that nothing follows. */
function isOnlyThought(text: string): boolean {
  if (text.trim() === "") return true;
  if (!text.includes(OPENS) || !text.trimStart().startsWith(OPENS)) return false;
  const end = text.lastIndexOf(CLOSES);
  return end === -1 || text.slice(end + CLOSES.length).trim() === "";
}

/** Characters of messages: texts, and names and arguments of calls. */
export function charactersOf(messages: readonly Message[]): number {
  let length = 0;
  for (const { content, tool_calls } of messages) {
    length += typeof content === "string" ? content.length : JSON.stringify(content).length;
    for (const call of tool_calls ?? []) length += call.function.name.length + call.function.arguments.length;
  }
  return length;
}
