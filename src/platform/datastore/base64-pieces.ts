import { hubFault } from "./hub-fault.ts";

/** Decodes base64 that comes in pieces, cut anywhere. */
export interface Base64Pieces {
  /** The bytes that are certain so far. Errors: 400 for what is no base64. */
  push(piece: Uint8Array): Buffer;
  end(): Buffer;
}

const LAST = /^(?:[A-Za-z0-9+/_-]{4}|[A-Za-z0-9+/_-]{3}=?|[A-Za-z0-9+/_-]{2}(?:==)?)?$/;

export function base64Pieces(): Base64Pieces {
  // One to four characters, for padding is allowed at the end only and nobody knows yet where that is.
  let held = "";
  return {
    push(piece) {
      const text = held + Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("latin1");
      const certain = text.length === 0 ? 0 : text.length - 1 - ((text.length - 1) % 4);
      held = text.slice(certain);
      const bytes = Buffer.from(text.slice(0, certain), "base64");
      // The decoder passes over what it does not know; the length tells.
      if (bytes.length !== (certain / 4) * 3) throw notBase64();
      return bytes;
    },
    end() {
      if (!LAST.test(held)) throw notBase64();
      return Buffer.from(held, "base64");
    },
  };
}

function notBase64() {
  return hubFault(400, "a file's content is not base64");
}
