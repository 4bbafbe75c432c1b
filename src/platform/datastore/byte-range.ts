/** Bytes of a file, both ends included; `none` lies behind its end. */
export type ByteRange = { from: number; to: number } | "none" | undefined;

/**
 * What a Range header asks for of so many bytes (RFC 9110, section 14). Undefined is everything: no header, one that is
 * not understood, or several ranges, which a server may pass over.
 */
export function byteRange(header: string | undefined, size: number): ByteRange {
  const found = /^bytes=(\d*)-(\d*)$/i.exec(header?.replaceAll(" ", "") ?? "");
  if (found === null) return undefined;
  const [, first = "", last = ""] = found;
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const count = Math.min(Number(last), size);
    return count === 0 ? "none" : { from: size - count, to: size - 1 };
  }
  const from = Number(first);
  const to = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < from) return undefined;
  return from >= size ? "none" : { from, to };
}
