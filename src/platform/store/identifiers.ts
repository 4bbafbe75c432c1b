import { randomBytes } from "node:crypto";

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const LENGTH = 22;

/** `<prefix>-` and 16 random bytes in base 58 (Bitcoin's alphabet), as the real services name things. */
export function newId(prefix: string, bytes: Buffer = randomBytes(16)): string {
  let number = BigInt(`0x${bytes.toString("hex")}`);
  let text = "";
  while (text.length < LENGTH) {
    text = (ALPHABET[Number(number % 58n)] ?? "") + text;
    number /= 58n;
  }
  return `${prefix}-${text}`;
}
