import { PairwrightError, usageError } from "../lib/errors.ts";
import type { Message } from "../records/message.ts";
import { type AssistantFrame, assistantFrame } from "./assistant-frame.ts";
import { createBoundedCache } from "./bounded-cache.ts";
import type { ChatTemplate } from "./chat-template.ts";
import type { Method, RowOf } from "./dataset-rows.ts";
import type { NumberedRow } from "./read-rows.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * A prompt and what is to follow it, as ids. Loss is taken on every completion id, the end token among them, and on no
 * prompt id: the log-probability of `completion_ids[i]` given all ids before it.
 */
export interface EncodedExample {
  /** Line of the data-set file, from 1. */
  line: number;
  /** Rows with the same prompt may share one list: it is not to be changed. */
  prompt_ids: readonly number[];
  completion_ids: readonly number[];
}

/** A prompt and two replies, as ids. Loss as in `EncodedExample`. */
export interface EncodedPair {
  line: number;
  prompt_ids: readonly number[];
  chosen_ids: readonly number[];
  rejected_ids: readonly number[];
}

/** The encoded row of each method. */
export interface EncodedOf {
  dpo: EncodedPair;
  sft: EncodedExample;
}

/** A row that can be trained on, or why not: `too_long` or `identical`, as `createRowEncoder` has it. */
export type Encoded<M extends Method> =
  | { row: EncodedOf[M]; truncated: boolean; why: null }
  | { row: null; why: "too_long" | "identical" };

export interface RowEncoder {
  readonly frame: AssistantFrame;
  encode<M extends Method>(method: M, numbered: NumberedRow<M>): Encoded<M>;
}

export interface RowEncoderOptions {
  tokenizer: Tokenizer;
  template: ChatTemplate;
  /** Tokens of prompt and completion together, at most. */
  max_length: number;
  /** The file of the rows, for errors. */
  path: string;
}

const CACHED_PROMPTS = 2_000;

/**
 * Rows to ids. The prompt is the rendered conversation with the generation prompt; the completion is the reply as it
 * stands, framed as `assistantFrame` says. Both are tokenised apart, as they are in generation, where the prompt's ids are
 * given and the model makes the rest.
 *
 * Length: a completion is cut at its end so that prompt and completion have `max_length` tokens together; cut, it has no
 * end token. A prompt that leaves no room for one token makes the row `too_long`. A pair whose replies are the same ids,
 * also when only the cut made them so, is `identical`: there is nothing to prefer. Errors, with file and line:
 * `completion_empty`, `prompt_empty`, and those of template and tokenizer.
 */
export function createRowEncoder({ tokenizer, template, max_length, path }: RowEncoderOptions): RowEncoder {
  const frame = assistantFrame(tokenizer, template);
  const opening = frame.lead.trimStart().split("\n")[0] ?? "";
  const prompts = createBoundedCache<string, readonly number[]>(CACHED_PROMPTS);

  function promptIds(prompt: string | Message[], line: number): readonly number[] {
    const key = JSON.stringify(prompt);
    const known = prompts.get(key);
    if (known !== undefined) return known;
    const messages: Message[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
    const ids = tokenizer.encode(template.render(messages, { add_generation_prompt: true }));
    if (ids.length === 0)
      throw bad("prompt_empty", path, line, "the prompt has no token, so nothing says how a reply begins");
    prompts.set(key, ids);
    return ids;
  }

  function replyIds(reply: string, key: string, line: number): number[] {
    if (reply === "") throw bad("completion_empty", path, line, `"${key}" is empty`);
    // What the template puts before a reply (an empty block of thoughts, say) may already stand in it.
    const text = opening !== "" && reply.trimStart().startsWith(opening) ? reply : frame.lead + reply;
    return [...tokenizer.encode(text), ...frame.end_ids];
  }

  function encodeReplies(prompt: string | Message[], replies: [key: string, text: string][], line: number) {
    const prompt_ids = promptIds(prompt, line);
    const whole = replies.map(([key, text]) => replyIds(text, key, line));
    const room = max_length - prompt_ids.length;
    if (room < 1) return null;
    const ids = whole.map((each) => (each.length > room ? each.slice(0, room) : each));
    return { prompt_ids, ids, truncated: whole.some((each) => each.length > room) };
  }

  const encoders: { [M in Method]: (row: RowOf[M], line: number) => Encoded<M> } = {
    sft({ prompt, completion }, line) {
      const encoded = encodeReplies(prompt, [["completion", completion]], line);
      if (encoded === null) return { row: null, why: "too_long" };
      const { prompt_ids, ids, truncated } = encoded;
      return { row: { line, prompt_ids, completion_ids: ids[0] ?? [] }, truncated, why: null };
    },
    dpo({ prompt, chosen_response, rejected_response }, line) {
      const replies: [string, string][] = [
        ["chosen_response", chosen_response],
        ["rejected_response", rejected_response],
      ];
      const encoded = encodeReplies(prompt, replies, line);
      if (encoded === null) return { row: null, why: "too_long" };
      const { prompt_ids, ids, truncated } = encoded;
      const [chosen_ids = [], rejected_ids = []] = ids;
      if (sameIds(chosen_ids, rejected_ids)) return { row: null, why: "identical" };
      return { row: { line, prompt_ids, chosen_ids, rejected_ids }, truncated, why: null };
    },
  };

  return {
    frame,
    encode(method, { line, row }) {
      try {
        return encoders[method](row, line);
      } catch (error) {
        throw atLine(error, path, line);
      }
    },
  };
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}

function bad(code: string, path: string, line: number, what: string): PairwrightError {
  return usageError({ code, where: `${path}:${line}`, what, fix: "mend or remove the line" });
}

/** What template and tokenizer say does not name the row. */
function atLine(error: unknown, path: string, line: number): unknown {
  const place = `${path}:${line}`;
  if (!PairwrightError.is(error) || error.where === place) return error;
  const { code, message, fix, exit_code } = error;
  return new PairwrightError({ code, where: place, what: message, fix, exit_code });
}
