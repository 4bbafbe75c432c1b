import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Context } from "hono";
import { byteRange } from "./byte-range.ts";
import { hubFault } from "./hub-fault.ts";

export interface ServedFile {
  path: string;
  size: number;
  /** Without its quotes. */
  etag: string;
  /** Sent beside those of the file itself, also where nothing of it is. */
  headers?: Record<string, string>;
}

const PIECE_BYTES = 1 << 18;

/** Answers GET or HEAD with a file's bytes, or the part of them that was asked for; never compressed. */
export async function serveFile(c: Context, { path, size, etag, headers = {} }: ServedFile): Promise<Response> {
  const quoted = `"${etag}"`;
  const head = { ...headers, etag: quoted, "accept-ranges": "bytes" };
  if (matches(c.req.header("if-none-match"), quoted)) return c.body(null, 304, head);
  const ifRange = c.req.header("if-range");
  const asked = ifRange === undefined || ifRange === quoted ? c.req.header("range") : undefined;
  const range = byteRange(asked, size);
  if (range === "none" && size > 0) {
    throw hubFault(416, `the file has ${size} bytes`, undefined, { "content-range": `bytes */${size}` });
  }
  const { from, to } = typeof range === "object" ? range : { from: 0, to: size - 1 };
  const sent = {
    ...head,
    "content-type": "application/octet-stream",
    "x-content-type-options": "nosniff",
    "content-length": String(to - from + 1),
    // A client that asks for the first byte of nothing learns so that there is nothing: 416 would be a fault to it.
    ...(range !== undefined && { "content-range": size === 0 ? "bytes */0" : `bytes ${from}-${to}/${size}` }),
  };
  const status = typeof range === "object" ? 206 : 200;
  if (c.req.method === "HEAD" || size === 0) return c.body(null, status, sent);
  const file = await open(path, "r");
  const stream = file.createReadStream({ start: from, end: to, highWaterMark: PIECE_BYTES });
  return c.body(Readable.toWeb(stream) as ReadableStream, status, sent);
}

function matches(header: string | undefined, etag: string): boolean {
  const tags = header?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes(etag) || tags.includes("*");
}
