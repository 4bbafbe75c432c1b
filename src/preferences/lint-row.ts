import { usageError } from "../lib/errors.ts";
import type { Message } from "../records/message.ts";
import { isObject, messagesOf, toolsOf } from "../records/messages-of.ts";
import { contentOf, isBlank, questionOf, sameContent } from "./content.ts";

/** A row of a preference data set, whatever its format, as its faults are looked for. */
export interface LintRow {
  /** Equal for equal prompts. */
  prompt: string;
  /** Equal for equal prompts under equal tools. */
  question: string;
  chosen: string;
  rejected: string;
  /** In characters. */
  lengths: { prompt: number; chosen: number; rejected: number };
  empty: string[];
  answer_in_prompt: boolean;
  chosen_score: number | undefined;
  rejected_score: number | undefined;
  /** What the row was made from; its prompt where the format does not say. */
  example: string;
  side: "training" | "validation" | undefined;
}

/** A row that has the keys of a format but not what belongs under them. */
export interface BrokenRow {
  problem: string;
}

/**
 * Reads a row of `pairs.jsonl` or of a NeMo Customizer data set, told apart by their keys. A row of neither is an
 * error that names the keys it has: linting on would say nothing of them.
 */
export function lintRowOf(value: unknown, where: string): LintRow | BrokenRow {
  if (isObject(value) && "chosen" in value && "rejected" in value && Array.isArray(value.prompt)) {
    return fromPair(value);
  }
  if (isObject(value) && "chosen_response" in value && "rejected_response" in value) return fromCustomizer(value);
  const keys = isObject(value) ? `an object with the keys ${Object.keys(value).slice(0, 12).join(", ")}` : typeof value;
  throw usageError({
    code: "unknown_row_format",
    where,
    what: `this is no row of a preference data set that is known here, but ${keys || "an empty object"}`,
    fix: "give pairs.jsonl, or a file of a format that `pairwright info components -t format` lists",
  });
}

function fromPair(value: Record<string, unknown>): LintRow | BrokenRow {
  const prompt = messagesOf(value.prompt, "user");
  const chosen = messagesOf(value.chosen, "assistant");
  const rejected = messagesOf(value.rejected, "assistant");
  if (prompt === undefined || chosen === undefined || rejected === undefined) {
    return { problem: "prompt, chosen and rejected must be lists of messages" };
  }
  const { chosen_score, rejected_score, example_id, split } = value;
  const id = contentOf(prompt);
  return {
    prompt: id,
    question: questionOf(prompt, toolsOf(value.tools)),
    chosen: contentOf(chosen),
    rejected: contentOf(rejected),
    lengths: { prompt: lengthOf(prompt), chosen: lengthOf(chosen), rejected: lengthOf(rejected) },
    empty: named({ prompt: prompt.length === 0, chosen: isBlank(chosen), rejected: isBlank(rejected) }),
    answer_in_prompt: prompt.at(-1)?.role === "assistant" && sameContent(prompt.slice(-chosen.length), chosen),
    chosen_score: typeof chosen_score === "number" ? chosen_score : undefined,
    rejected_score: typeof rejected_score === "number" ? rejected_score : undefined,
    example: typeof example_id === "string" ? example_id : id,
    side: split === "training" || split === "validation" ? split : undefined,
  };
}

function fromCustomizer(value: Record<string, unknown>): LintRow | BrokenRow {
  const { chosen_response: chosen, rejected_response: rejected } = value;
  const prompt = typeof value.prompt === "string" ? value.prompt : messagesOf(value.prompt, "user");
  if (prompt === undefined || typeof chosen !== "string" || typeof rejected !== "string") {
    return { problem: "prompt must be a text or a list of messages, and both responses texts" };
  }
  const id = typeof prompt === "string" ? JSON.stringify(prompt) : contentOf(prompt);
  const length = typeof prompt === "string" ? prompt.length : lengthOf(prompt);
  return {
    prompt: id,
    question: id,
    chosen,
    rejected,
    lengths: { prompt: length, chosen: chosen.length, rejected: rejected.length },
    empty: named({ prompt: isEmpty(prompt), chosen: isEmpty(chosen), rejected: isEmpty(rejected) }),
    answer_in_prompt: holdsAnswer(prompt, chosen),
    chosen_score: undefined,
    rejected_score: undefined,
    example: id,
    side: undefined,
  };
}

/** Whether the prompt is the answer itself, or ends with it as the assistant's message or on a line of its own. */
function holdsAnswer(prompt: string | Message[], chosen: string): boolean {
  const answer = chosen.trim();
  if (answer === "") return false;
  if (typeof prompt === "string") return prompt.trim() === answer || prompt.trimEnd().endsWith(`\n${answer}`);
  const last = prompt.at(-1);
  return last?.role === "assistant" && sameContent([last], [{ role: "assistant", content: chosen }]);
}

function isEmpty(text: string | Message[]): boolean {
  return typeof text === "string" ? text.trim() === "" : text.length === 0;
}

function named(flags: Record<string, boolean>): string[] {
  return Object.keys(flags).filter((name) => flags[name]);
}

function lengthOf(messages: readonly Message[]): number {
  let length = 0;
  for (const { content, tool_calls } of messages) {
    length += typeof content === "string" ? content.length : JSON.stringify(content).length;
    for (const call of tool_calls ?? []) length += call.function.name.length + call.function.arguments.length;
  }
  return length;
}
