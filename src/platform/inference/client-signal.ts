import type { Context } from "hono";
import { HttpFault } from "../http/http-fault.ts";

/** When to stop working on a request: its client has left, or it has taken too long. */
export interface ClientSignal {
  readonly signal: AbortSignal;
  /** Also when the answer is no longer read. */
  leave(): void;
  /** To be called when the answer is there. */
  done(): void;
}

/** Longer than this no client of OpenAI's waits. */
const LIMIT_MS = 600_000;

/** The reason of the signal where the client has left. */
export const CLIENT_LEFT = Symbol("the client has left");

export function clientSignal(c: Context): ClientSignal {
  const stop = new AbortController();
  const { signal } = c.req.raw;
  const leave = () => stop.abort(CLIENT_LEFT);
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave, { once: true });
  const timer = setTimeout(() => {
    stop.abort(new HttpFault(504, `the answer has taken longer than ${LIMIT_MS / 1000} s`));
  }, LIMIT_MS);
  return {
    signal: stop.signal,
    leave,
    done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    },
  };
}
