import { z } from "zod";
import { didYouMean } from "../lib/suggest.ts";
import { Message } from "../records/message.ts";

const Prompt = z.union([z.string(), z.array(Message).min(1)]);

/** A row of a data-set file for DPO. A text as prompt is one user message. */
export const DpoRow = z.strictObject({ prompt: Prompt, chosen_response: z.string(), rejected_response: z.string() });
export type DpoRow = z.infer<typeof DpoRow>;

/** A row of a data-set file for SFT. */
export const SftRow = z.strictObject({ prompt: Prompt, completion: z.string() });
export type SftRow = z.infer<typeof SftRow>;

/** The row of each method. */
export interface RowOf {
  dpo: DpoRow;
  sft: SftRow;
}
export type Method = keyof RowOf;

const SCHEMAS = { dpo: DpoRow, sft: SftRow };

/** The row that a value is, or what is wrong with it: one sentence that names the key and quotes no text of the row. */
export function parseRow<M extends Method>(value: unknown, method: M): { row: RowOf[M] } | { problem: string } {
  const parsed = SCHEMAS[method].safeParse(value);
  if (parsed.success) return { row: parsed.data as RowOf[M] };
  return { problem: problemOf(value, method, parsed.error) };
}

function problemOf(value: unknown, method: Method, error: z.ZodError): string {
  const known = Object.keys(SCHEMAS[method].shape);
  const takes = `a row for ${method} is {${known.join(", ")}}`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return `this line is no object; ${takes}`;
  const other: Method = method === "dpo" ? "sft" : "dpo";
  if (SCHEMAS[other].safeParse(value).success) return `this is a row for ${other}; ${takes}`;
  for (const key of known) if (!(key in value)) return `"${key}" is missing${similar(value, key, known)}; ${takes}`;
  for (const key of Object.keys(value)) {
    if (!known.includes(key))
      return `"${key.slice(0, 40)}" is not known.${didYouMean(key, known)} It holds more than it may: ${takes}`;
  }
  return promptProblem(value) ?? `"${error.issues[0]?.path.join(".")}" must be a text`;
}

function similar(row: object, key: string, known: readonly string[]): string {
  const others = Object.keys(row).filter((each) => !known.includes(each));
  const [near] = others.filter((each) => didYouMean(each, [key]) !== "");
  return near === undefined ? "" : ` (there is "${near.slice(0, 40)}")`;
}

function promptProblem(row: object): string | undefined {
  const prompt = "prompt" in row ? row.prompt : undefined;
  if (typeof prompt === "string") return undefined;
  if (!Array.isArray(prompt)) return '"prompt" must be a text or a list of messages';
  if (prompt.length === 0) return '"prompt" is an empty list; it must hold at least one message';
  for (const [index, message] of prompt.entries()) {
    const [issue] = Message.safeParse(message).error?.issues ?? [];
    if (issue === undefined) continue;
    const path = ["prompt", index, ...issue.path].join(".");
    return `"${path}" is not what a message holds ({role, content}, tool_calls, tool_call_id, name, reasoning): ${shortOf(issue)}`;
  }
  return undefined;
}

/** Zod's sentence, where it quotes nothing of the row. */
function shortOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_union") return "it must be a text or a list of parts";
  if (issue.code === "unrecognized_keys") return `unknown key "${issue.keys[0]?.slice(0, 40)}"`;
  return issue.message;
}
