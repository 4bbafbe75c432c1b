import type { Context } from "hono";
import { HttpFault } from "../http/http-fault.ts";

/** So long may nothing come of a body: a large file takes its time, a client that has gone away does not come back. */
const MOST_IDLE_MS = 30_000;

/**
 * A body piece by piece, however long. Errors: 408 where nothing comes for `idle_ms`, 400 where the client left in the
 * middle.
 */
export async function* bodyChunks(c: Context, idle_ms = MOST_IDLE_MS): AsyncGenerator<Uint8Array> {
  const reader = c.req.raw.body?.getReader();
  if (reader === undefined) return;
  let isWhole = false;
  try {
    while (!isWhole) {
      const { done, value } = await within(reader, idle_ms);
      isWhole = done;
      if (value !== undefined) yield value;
    }
  } finally {
    if (!isWhole) void reader.cancel().catch(() => undefined);
  }
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

async function within(reader: Reader, idle_ms: number): Promise<Awaited<ReturnType<Reader["read"]>>> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    // Ends the read that waits.
    void reader.cancel().catch(() => undefined);
  }, idle_ms);
  try {
    const read = await reader.read();
    if (!isLate) return read;
  } catch (cause) {
    throw new HttpFault(400, "the request's body ended before it was whole", {}, cause);
  } finally {
    clearTimeout(timer);
  }
  throw new HttpFault(408, `nothing of the request's body has come for ${idle_ms / 1000} s`);
}
