import type { ServerResponse } from "node:http";
import { HttpFault } from "../http/http-fault.ts";

/** When to stop working on a request: its client has left, or it has taken too long. */
export interface ClientSignal {
  readonly signal: AbortSignal;
  /** To be called when the answer is there. */
  done(): void;
}

/** Longer than this no client of OpenAI's waits. */
const LIMIT_MS = 600_000;

/** The reason of the signal where the client has left. */
export const CLIENT_LEFT = Symbol("the client has left");

export function clientSignal(outgoing: ServerResponse): ClientSignal {
  const stop = new AbortController();
  const leave = () => stop.abort(CLIENT_LEFT);
  if (outgoing.destroyed) leave();
  else outgoing.once("close", leave);
  const timer = setTimeout(() => {
    stop.abort(new HttpFault(504, `the answer has taken longer than ${LIMIT_MS / 1000} s`));
  }, LIMIT_MS);
  return {
    signal: stop.signal,
    done() {
      clearTimeout(timer);
      outgoing.off("close", leave);
    },
  };
}
