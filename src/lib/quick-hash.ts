import { sha256 } from "./hash.ts";
import { type Key, keyOfHex } from "./key-table.ts";

/** Above this length SHA-256 is the faster one. */
const SHORT = 512;

/**
 * 64 bits of a text for look-ups in memory: the same for equal texts, spread evenly, and quick for short ones. Not for
 * ids on disk, and not for texts that somebody may choose so that two of them fall together.
 */
export function quickHash(text: string): Key {
  if (text.length > SHORT) return keyOfHex(sha256(text));
  let hi = 0xdeadbeef ^ text.length;
  let lo = 0x41c6ce57 ^ text.length;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    hi = Math.imul(hi ^ code, 2654435761);
    lo = Math.imul(lo ^ code, 1597334677);
  }
  hi = Math.imul(hi ^ (hi >>> 16), 2246822507) ^ Math.imul(lo ^ (lo >>> 13), 3266489909);
  lo = Math.imul(lo ^ (lo >>> 16), 2246822507) ^ Math.imul(hi ^ (hi >>> 13), 3266489909);
  return { hi: hi >>> 0, lo: lo >>> 0 };
}
