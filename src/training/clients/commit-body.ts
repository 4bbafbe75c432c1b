import { createReadStream } from "node:fs";
import type { StreamedBody } from "../../lib/http.ts";
import type { CommitLine } from "../wire/hub.ts";

/** One change of a commit. */
export type CommitEdit =
  | { do: "file"; path: string; file: string; size: number }
  | { do: "lfs"; path: string; sha256: string; size: number }
  | { do: "delete"; path: string };

/** Three bytes are four characters: pieces of such a length can be put one after another. */
const PIECE_BYTES = 3 << 16;

/** The NDJSON of a commit. Contents are read, and made base64, while it is sent. */
export function commitBody(summary: string, edits: readonly CommitEdit[]): StreamedBody {
  const header = `${JSON.stringify({ key: "header", value: { summary, description: "" } })}\n`;
  const around = edits.map((edit) => ({ edit, ...linesAround(edit) }));
  const bytes = around.reduce(
    (sum, { edit, before, after }) =>
      sum + Buffer.byteLength(before) + Buffer.byteLength(after) + (edit.do === "file" ? base64Length(edit.size) : 0),
    Buffer.byteLength(header),
  );
  async function* chunks() {
    yield Buffer.from(header);
    for (const { edit, before, after } of around) {
      yield Buffer.from(before);
      if (edit.do === "file") yield* base64Of(edit.file);
      yield Buffer.from(after);
    }
  }
  return { bytes, chunks };
}

function base64Length(size: number): number {
  return 4 * Math.ceil(size / 3);
}

/** What stands before and after the content, where there is one. */
function linesAround(edit: CommitEdit): { before: string; after: string } {
  if (edit.do === "file") {
    const place = JSON.stringify({ path: edit.path, encoding: "base64" }).slice(1, -1);
    return { before: `{"key":"file","value":{${place},"content":"`, after: '"}}\n' };
  }
  const line: CommitLine =
    edit.do === "lfs"
      ? { key: "lfsFile", value: { path: edit.path, algo: "sha256", oid: edit.sha256, size: edit.size } }
      : { key: "deletedFile", value: { path: edit.path } };
  return { before: `${JSON.stringify(line)}\n`, after: "" };
}

async function* base64Of(file: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: PIECE_BYTES }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const whole = bytes.length - (bytes.length % 3);
    rest = bytes.subarray(whole);
    yield Buffer.from(bytes.toString("base64", 0, whole), "latin1");
  }
  yield Buffer.from(rest.toString("base64"), "latin1");
}
