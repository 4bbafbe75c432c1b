/**
 * What each byte is written as in a byte-level vocabulary (GPT-2's table): printable Latin-1 as itself, the others as
 * characters from U+0100 on, in order.
 */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

const BYTES = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));

/** The text's UTF-8 bytes as byte characters. A lone surrogate counts as U+FFFD. */
export function toByteCharacters(text: string): string {
  let written = "";
  for (const byte of Buffer.from(text, "utf8")) written += BYTE_CHARACTERS[byte];
  return written;
}

/** The bytes of an entry of a byte-level vocabulary. One that is not made of byte characters stands for its own UTF-8. */
export function fromByteCharacters(entry: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of entry) {
    const byte = BYTES.get(character);
    if (byte === undefined) return new Uint8Array(Buffer.from(entry, "utf8"));
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** A byte's entry in a vocabulary where bytes stand in for characters that it does not have: `<0xE2>`. */
export function byteEntry(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : next++);
  });
}
