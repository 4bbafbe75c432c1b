import type { Message, Tool } from "../../records/message.ts";
import { isObject, messagesOf, toolsIn } from "../../records/messages-of.ts";
import type { LaunchInput } from "./launch-plan.ts";

/** A row of a data-set file as a trainer reads it. */
export interface LaunchRow {
  /** A text where no chat template is applied to it. */
  prompt: Message[] | string;
  chosen: Message[];
  rejected: Message[];
  tools: Tool[] | undefined;
}

/** The formats by what reads them. */
export const READERS = {
  "nemo-rl-binary": "NeMo RL's BinaryPreferenceDataset",
  "nemo-rl-ranked": "NeMo RL's PreferenceDataset",
  "trl-conversational": "TRL, as messages",
  trl: "TRL, as texts",
} as const;

type Format = LaunchInput["options"]["dataset_format"];
type Read = LaunchRow | { problem: string };

const PARSERS: Record<Format, (row: Record<string, unknown>) => Read> = {
  "nemo-rl-binary": binary,
  "nemo-rl-ranked": ranked,
  "trl-conversational": conversational,
  trl: texts,
};

/** The row that a value is in a format, or what is wrong with it: the trainer would stop there, or read something else. */
export function launchRow(value: unknown, format: Format): Read {
  if (!isObject(value)) return { problem: "it is no object" };
  const read = PARSERS[format](value);
  if (!("problem" in read)) return read;
  const other = Object.entries(PARSERS).find(([name, parse]) => name !== format && !("problem" in parse(value)));
  return other === undefined ? read : { problem: `${read.problem}; it is a row of the format ${other[0]}` };
}

function binary({ prompt, chosen, rejected }: Record<string, unknown>): Read {
  const messages = messagesOf(prompt, "user");
  if (messages === undefined) return { problem: '"prompt" is neither a text nor a list of messages' };
  if (typeof chosen !== "string" || typeof rejected !== "string") {
    return { problem: '"chosen" and "rejected" must be texts' };
  }
  return { prompt: messages, chosen: reply(chosen), rejected: reply(rejected), tools: undefined };
}

function ranked({ context, completions, task_name }: Record<string, unknown>): Read {
  // Its guide asks for the column, and its loader fails on it: it adds one itself.
  if (task_name !== undefined) return { problem: '"task_name" is a column that NeMo RL adds itself' };
  const prompt = messagesOf(context, "user");
  if (prompt === undefined || typeof context === "string") return { problem: '"context" is no list of messages' };
  const pair = Array.isArray(completions) ? completions.filter(isObject) : [];
  const [first, second] = pair;
  if (first === undefined || second === undefined || pair.length !== 2) {
    return { problem: '"completions" must be two objects with "rank" and "completion"' };
  }
  if (typeof first.rank !== "number" || typeof second.rank !== "number" || first.rank === second.rank) {
    return { problem: 'the "rank" of both completions must be numbers, and two different ones' };
  }
  const [better, worse] = first.rank < second.rank ? [first, second] : [second, first];
  return sides(prompt, better.completion, worse.completion, undefined);
}

function conversational({ prompt, chosen, rejected, tools }: Record<string, unknown>): Read {
  // With a text beside lists, TRL takes the row for either kind by chance.
  if (!Array.isArray(prompt) || prompt.length === 0) return { problem: '"prompt" is no list of messages' };
  const messages = messagesOf(prompt, "user");
  if (messages === undefined) return { problem: '"prompt" is no list of messages' };
  return sides(messages, chosen, rejected, toolsIn(tools));
}

function texts({ prompt, chosen, rejected }: Record<string, unknown>): Read {
  if (typeof prompt !== "string" || typeof chosen !== "string" || typeof rejected !== "string") {
    return { problem: '"prompt", "chosen" and "rejected" must be texts' };
  }
  return { prompt, chosen: reply(chosen), rejected: reply(rejected), tools: undefined };
}

function sides(prompt: Message[], better: unknown, worse: unknown, tools: Tool[] | undefined): Read {
  const chosen = Array.isArray(better) && better.length > 0 ? messagesOf(better, "assistant") : undefined;
  const rejected = Array.isArray(worse) && worse.length > 0 ? messagesOf(worse, "assistant") : undefined;
  if (chosen === undefined || rejected === undefined) return { problem: "a side is no list of messages" };
  return { prompt, chosen, rejected, tools };
}

function reply(content: string): Message[] {
  return [{ role: "assistant", content }];
}
