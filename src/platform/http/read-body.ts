import type { Context } from "hono";
import type { z } from "zod";
import { fieldFaults, HttpFault, unprocessable } from "./http-fault.ts";

/** A JSON body of this size is no entity and no job. */
const MOST_BYTES = 10 * 2 ** 20;
/** From the first byte of a body to its last. */
const MOST_MS = 30_000;

/** Up to this a body is read in one piece. */
const SHORT_BYTES = 2 ** 18;

export interface BodyLimits {
  max_bytes?: number;
  max_ms?: number;
}

/**
 * The whole body. Errors: 413 beyond `max_bytes`, 408 where it has not come after `max_ms`, 400 where the client left in
 * the middle of it.
 */
export async function readBody(
  c: Context,
  { max_bytes = MOST_BYTES, max_ms = MOST_MS }: BodyLimits = {},
): Promise<Buffer> {
  const announced = Number(c.req.header("content-length") ?? Number.NaN);
  if (announced > max_bytes) throw tooLarge(max_bytes);
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow(max_ms)), max_ms);
  });
  limit.catch(() => undefined);
  try {
    // A short body whose length is known needs no stream, which costs more than all the rest of a small request.
    if (announced <= SHORT_BYTES) return Buffer.from(await Promise.race([c.req.raw.arrayBuffer(), limit]));
    return await readStream(c.req.raw.body, max_bytes, limit);
  } catch (error) {
    if (error instanceof HttpFault) throw error;
    throw new HttpFault(400, "the request's body ended before it was whole", {}, error);
  } finally {
    clearTimeout(timer);
  }
}

async function readStream(
  body: ReadableStream<Uint8Array> | null,
  max_bytes: number,
  limit: Promise<never>,
): Promise<Buffer> {
  if (body === null) return Buffer.alloc(0);
  const reader = body.getReader();
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), limit]);
      if (done) return Buffer.concat(chunks, size);
      size += value.byteLength;
      if (size > max_bytes) throw tooLarge(max_bytes);
      chunks.push(value);
    }
  } catch (error) {
    void reader.cancel().catch(() => undefined);
    throw error;
  }
}

/** The body as JSON, whatever type it calls itself. Errors: those of `readBody`; 422 for what is no JSON. */
export async function readJson(c: Context, limits: BodyLimits = {}): Promise<unknown> {
  const bytes = await readBody(c, limits);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw unprocessable({ loc: ["body"], msg: "the body is not valid JSON in UTF-8", type: "json_invalid" });
  }
}

/** The body as this schema has it. Errors: those of `readJson`; 422 with every field that cannot be used. */
export async function readAs<S extends z.ZodType>(
  c: Context,
  schema: S,
  limits: BodyLimits = {},
): Promise<z.output<S>> {
  const parsed = schema.safeParse(await readJson(c, limits));
  if (parsed.success) return parsed.data;
  throw unprocessable(...fieldFaults("body", parsed.error));
}

function tooSlow(max_ms: number): HttpFault {
  return new HttpFault(408, `the request's body has not come within ${max_ms / 1000} s`);
}

function tooLarge(max_bytes: number): HttpFault {
  return new HttpFault(413, `the request's body is larger than ${max_bytes} bytes`);
}
