import { type ErrorFacts, messageOf, PairwrightError } from "../../lib/errors.ts";
import type { TextReply } from "./served-reply.ts";
import type { TextRequest, TextServiceOptions } from "./text-service.ts";

/** What a model's process is sent: the calls of one turn of the event loop in one message. */
export type Call =
  | { kind: "open"; id: number; options: TextServiceOptions }
  | { kind: "generate"; id: number; request: TextRequest; streams: boolean }
  | { kind: "abort"; id: number }
  | { kind: "add_adapter"; id: number; name: string; dir: string }
  | { kind: "remove_adapter"; id: number; name: string }
  | { kind: "close" };

/** What it sends in one message: pieces of text, which belong to before whatever else is there, and what ends calls. */
export interface Turn {
  /** One after another: the call's id, the candidate's index, the text. There are so many that a record for each is felt. */
  pieces: (number | string)[];
  news: News[];
}

/** What ends a call; `id` is that of the call. */
export type News =
  | { kind: "reply"; id: number; reply: TextReply }
  | { kind: "ready"; id: number; facts: ModelFacts }
  | { kind: "fault"; id: number; fault: Fault };

/** How a call ends well. */
export type Answer = Exclude<News, { kind: "fault" }>;

export interface ModelFacts {
  context_length: number;
  bytes: number;
}

/** An error on its way between processes: one of ours with what it knows, or any other. */
export type Fault = { facts: ErrorFacts } | { message: string; stack: string | undefined };

export function faultOf(error: unknown): Fault {
  if (!PairwrightError.is(error)) {
    return { message: messageOf(error), stack: error instanceof Error ? error.stack : undefined };
  }
  const { code, where, what, fix, exit_code } = error;
  return { facts: { code, where, what, fix, exit_code } };
}

export function errorOf(fault: Fault): Error {
  if ("facts" in fault) return new PairwrightError(fault.facts);
  return Object.assign(new Error(fault.message), { stack: fault.stack });
}
