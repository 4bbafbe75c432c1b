import { hash } from "node:crypto";

/** SHA-256 of a text (as UTF-8) or of bytes, in hexadecimal. */
export function sha256(data: string | Uint8Array): string {
  return hash("sha256", data, "hex");
}

/** The first 128 bits of a SHA-256, as four numbers of 32 bits. */
export type Digest = Int32Array;

/** The first 128 bits of the SHA-256 of a text (as UTF-8) or of bytes. */
export function digestOf(data: string | Uint8Array): Digest {
  const digest = new Int32Array(4);
  digestInto(digest, data);
  return digest;
}

/** The same, into a digest that is there. */
export function digestInto(digest: Digest, data: string | Uint8Array): void {
  // A text of one character a byte is made in half the time of a buffer.
  const all = hash("sha256", data, "binary");
  for (let part = 0; part < 4; part += 1) {
    const at = part * 4;
    digest[part] =
      (all.charCodeAt(at) << 24) |
      (all.charCodeAt(at + 1) << 16) |
      (all.charCodeAt(at + 2) << 8) |
      all.charCodeAt(at + 3);
  }
}

/** JSON with the keys of every object sorted, so that equal values give equal text. `undefined` members are left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    const sorted: Record<string, unknown> = {};
    for (const key of Object.keys(inner).sort()) sorted[key] = (inner as Record<string, unknown>)[key];
    return sorted;
  });
}

/**
 * A 31-bit non-negative integer from the SHA-256 of the parts, as their JSON array.
 * Every seed of a run is made this way, so a seed depends on what it is for and on nothing else.
 */
export function hash31(...parts: readonly (string | number)[]): number {
  return Number.parseInt(sha256(JSON.stringify(parts)).slice(0, 8), 16) & 0x7fffffff;
}

/** A number in [0, 1) from the first 52 bits of the SHA-256 of the parts. */
export function hashFraction(...parts: readonly (string | number)[]): number {
  return Number.parseInt(sha256(JSON.stringify(parts)).slice(0, 13), 16) / 2 ** 52;
}
