import { setTimeout as wait } from "node:timers/promises";
import { Hono } from "hono";
import { stream } from "hono/streaming";

/** Who uses this platform at the moment: each user holds a connection open, which ends with its process however that ends. */
export interface Leases {
  readonly routes: Hono;
  /** Settles when nobody has used the platform for a while, at the beginning too. */
  readonly unused: Promise<void>;
  /** Lets all connections go; who comes now is turned away with 503, to look for another platform. */
  end(): void;
}

export interface LeaseOptions {
  /** How long without users is unused: one may follow another. */
  grace_ms: number;
  /** How long the first user may take to come. */
  first_ms: number;
}

const HEARTBEAT_MS = 10_000;

export function leases({ grace_ms, first_ms }: LeaseOptions): Leases {
  let held = 0;
  const over = new AbortController();
  let settle: () => void = () => undefined;
  const unused = new Promise<void>((resolve) => {
    settle = resolve;
  });
  // What keeps the process alive is the server: one that cannot listen is not to wait for a user.
  let timer = setTimeout(settle, first_ms).unref();
  const routes = new Hono();
  routes.get("/", (c) => {
    if (over.signal.aborted) return c.json({ detail: "the platform is stopping" }, 503);
    return stream(c, async (body) => {
      held += 1;
      clearTimeout(timer);
      const left = new AbortController();
      body.onAbort(() => left.abort());
      const gone = AbortSignal.any([left.signal, over.signal]);
      // A line now and then: who is gone without a word is noticed by it.
      while (!gone.aborted) {
        await body.write("held\n");
        await wait(HEARTBEAT_MS, undefined, { signal: gone, ref: false }).catch(() => undefined);
      }
      held -= 1;
      if (held === 0 && !over.signal.aborted) timer = setTimeout(settle, grace_ms).unref();
    });
  });
  return {
    routes,
    unused,
    end() {
      over.abort();
      clearTimeout(timer);
    },
  };
}
