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

/** What it sends, likewise. `id` is that of the call that it belongs to. */
export type News =
  | { kind: "piece"; id: number; index: number; text: string }
  | { kind: "reply"; id: number; reply: TextReply }
  | { kind: "ready"; id: number; facts: ModelFacts }
  | { kind: "fault"; id: number; fault: Fault };

/** The news that end a call. */
export type Answer = Extract<News, { kind: "reply" | "ready" }>;

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

/** Passes items on in lists: all that come in one turn of the event loop together. */
export function inTurns<T>(pass: (items: T[]) => void): { add(item: T): void; flush(): void } {
  let items: T[] = [];
  function flush(): void {
    const now = items;
    items = [];
    if (now.length > 0) pass(now);
  }
  return {
    add(item) {
      if (items.length === 0) setImmediate(flush);
      items.push(item);
    },
    flush,
  };
}
