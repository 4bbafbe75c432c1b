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
  return mixed(hi, lo);
}

/** The same of a text that lies in memory as UTF-8. */
export function quickHashOf(memory: Buffer, start: number, end: number): Key {
  const length = end - start;
  if (length > SHORT) return quickHash(memory.toString("utf8", start, end));
  let hi = 0xdeadbeef ^ length;
  let lo = 0x41c6ce57 ^ length;
  let all = 0;
  for (let index = start; index < end; index += 1) {
    const code = memory[index] ?? 0;
    all |= code;
    hi = Math.imul(hi ^ code, 2654435761);
    lo = Math.imul(lo ^ code, 1597334677);
  }
  if (all > 0x7f) return quickHash(memory.toString("utf8", start, end));
  return mixed(hi, lo);
}

function mixed(a: number, b: number): Key {
  const hi = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  const lo = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(hi ^ (hi >>> 13), 3266489909);
  return { hi: hi >>> 0, lo: lo >>> 0 };
}
