import type { TrainingOptions } from "../../engine/train/training-options.ts";
import { parseRow, type RowOf } from "../../tokens/dataset-rows.ts";

type Method = TrainingOptions["training_type"];
type Row = RowOf[Method];

/** What one line of a client's file comes to: rows of the engine, or what is wrong with it. */
export type ConvertedRow = { rows: Row[] } | { problem: string };

/** How texts under other keys than `prompt` and `completion` become them: `{question} {answer}`. */
export interface PromptTemplate {
  /** Text before the first value, and between the two. */
  before: string;
  between: string;
  prompt_key: string;
  completion_key: string;
  after: string;
}

/** The parts of a template with exactly two placeholders; undefined for any other. */
export function parsePromptTemplate(template: string): PromptTemplate | undefined {
  const parts = template.split(/\{([A-Za-z_]\w*)\}/);
  const [before, prompt_key, between, completion_key, after, ...more] = parts;
  if (before === undefined || prompt_key === undefined || between === undefined) return undefined;
  if (completion_key === undefined || after === undefined || more.length > 0) return undefined;
  // What is between belongs to the prompt, but a space that only parts the two does not.
  return { before, prompt_key, between: between.trimEnd(), completion_key, after };
}

/**
 * A row of a data-set file of the Customizer as rows of the engine. A conversation is a row for each of the assistant's
 * messages, so that loss is taken on all of them. What is wrong is told by the key, never by quoting the row.
 */
export function convertRow(value: unknown, method: Method, template: PromptTemplate): ConvertedRow {
  if (!isObject(value)) return parsed(value, method);
  if ("query" in value && "pos_doc" in value) {
    return { problem: "this is a row for an embedding model, and such models are not trained here" };
  }
  if (method === "dpo") {
    const { prompt, ...rest } = value;
    return parsed("prompt" in value ? { prompt: plainMessages(prompt), ...rest } : value, "dpo");
  }
  if ("messages" in value) return conversation(value, "messages", value.messages);
  if ("conversations" in value) return legacyConversation(value);
  return completion(value, template);
}

function completion(value: Record<string, unknown>, template: PromptTemplate): ConvertedRow {
  const { before, between, after, prompt_key, completion_key } = template;
  const is_plain = prompt_key === "prompt" && completion_key === "completion";
  const is_list = is_plain && Array.isArray(value.prompt);
  if (is_list) return parsed({ ...value, prompt: plainMessages(value.prompt) }, "sft");
  if (is_plain && `${before}${between}${after}` === "") return parsed(value, "sft");
  for (const key of [prompt_key, completion_key]) {
    if (typeof value[key] !== "string") {
      return { problem: `"${key}" ${key in value ? "must be a text" : "is missing"}; the prompt template names it` };
    }
  }
  const prompt = `${before}${value[prompt_key]}${between}`;
  return parsed({ prompt, completion: `${value[completion_key]}${after.trimEnd()}` }, "sft");
}

function conversation(value: Record<string, unknown>, key: string, messages: unknown): ConvertedRow {
  if (value.tools !== undefined && value.tools !== null) {
    return { problem: '"tools": what tools there are is not trained on here; leave such rows out' };
  }
  const strange = Object.keys(value).find((each) => each !== key && each !== "tools");
  if (strange !== undefined) return { problem: `"${strange.slice(0, 40)}" is not known beside "${key}"` };
  if (!Array.isArray(messages) || messages.length === 0) return { problem: `"${key}" must be a list of messages` };
  const plain = plainMessages(messages) as unknown[];
  const rows: Row[] = [];
  for (const [index, message] of plain.entries()) {
    if (!isObject(message) || message.role !== "assistant") continue;
    if (message.tool_calls !== undefined) {
      return { problem: `"${key}.${index}.tool_calls": a reply that calls tools cannot be learnt here` };
    }
    if (index === 0) return { problem: `"${key}.0": a reply has nothing before it` };
    const row = parsed({ prompt: plain.slice(0, index), completion: message.content }, "sft");
    if ("problem" in row)
      return {
        problem: row.problem.replaceAll('"prompt', `"${key}`).replaceAll('"completion"', `"${key}.${index}.content"`),
      };
    rows.push(...row.rows);
  }
  return rows.length > 0 ? { rows } : { problem: `"${key}" holds no message of the assistant to learn` };
}

/** `{system, conversations: [{from, value}]}`: NeMo's older form. */
function legacyConversation(value: Record<string, unknown>): ConvertedRow {
  const { system, conversations, ...rest } = value;
  if (!Array.isArray(conversations)) return { problem: '"conversations" must be a list' };
  const messages = conversations.map((turn: unknown) => {
    const { from, value: content } = isObject(turn) ? turn : {};
    return { role: String(from).toLowerCase(), content };
  });
  const before = typeof system === "string" && system !== "" ? [{ role: "system", content: system }] : [];
  return conversation(rest, "conversations", [...before, ...messages]);
}

/** Messages in the engine's form: arguments of calls as text, nothing that is null, a content that is there. */
function plainMessages(messages: unknown): unknown {
  if (!Array.isArray(messages)) return messages;
  return messages.map((message: unknown) => {
    if (!isObject(message)) return message;
    const { tool_calls, content, ...rest } = message;
    const calls = Array.isArray(tool_calls) && tool_calls.length > 0 ? tool_calls.map(plainCall) : undefined;
    return { ...rest, content: content ?? (calls ? "" : content), ...(calls && { tool_calls: calls }) };
  });
}

function plainCall(call: unknown): unknown {
  if (!isObject(call) || !isObject(call.function)) return call;
  const { arguments: given } = call.function;
  const text = typeof given === "string" ? given : JSON.stringify(given ?? {});
  return { ...call, function: { ...call.function, arguments: text } };
}

function parsed(value: unknown, method: Method): ConvertedRow {
  const result = parseRow(value, method);
  return "problem" in result ? result : { rows: [result.row] };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
