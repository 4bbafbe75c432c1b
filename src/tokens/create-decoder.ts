import { fromByteCharacters } from "./byte-characters.ts";
import { unsupported } from "./pre-tokenizer-steps.ts";
import type { Step } from "./read-tokenizer-files.ts";

/** Tokens to the pieces of a text, which are joined in the end. */
type Chain = (tokens: string[]) => string[];

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Whether every token stands for bytes of its own, whatever its neighbours are. */
export function isByteLevel(step: Step | null): boolean {
  if (step?.type === "Sequence") {
    const steps = (step.decoders ?? []).filter((inner) => inner.type !== "Fuse");
    return steps.length === 1 && steps[0]?.type === "ByteLevel";
  }
  return step?.type === "ByteLevel";
}

/**
 * The decoder of a `tokenizer.json`: entries of the vocabulary to text. Written here, since `@huggingface/tokenizers` 0.2
 * departs from the reference: it cuts at added tokens, drops a byte order mark and only one space of `Metaspace`, joins
 * the marks of bytes that are no UTF-8, and looks through all added tokens at each token. Errors: `tokenizer_unsupported`.
 */
export function createDecoder(step: Step | null, path: string): (tokens: string[]) => string {
  if (step === null) return (tokens) => tokens.join(" ");
  const chain = chainOf(step, path);
  return (tokens) => chain(tokens).join("");
}

function chainOf(step: Step, path: string): Chain {
  switch (step.type) {
    case "Sequence": {
      const chains = (step.decoders ?? []).map((inner) => chainOf(inner, path));
      return (tokens) => chains.reduce((pieces, chain) => chain(pieces), tokens);
    }
    case "ByteLevel":
      return (tokens) => [utf8.decode(Buffer.concat(tokens.map(fromByteCharacters)))];
    case "ByteFallback":
      return byteFallback;
    case "Fuse":
      return (tokens) => [tokens.join("")];
    case "Metaspace":
      return metaspace(step);
    case "Replace":
      return replace(step, path);
    case "Strip":
      return strip(step);
    default:
      throw unsupported(path, `a decoder of type ${step.type}`);
  }
}

/** Runs of `<0x41>` become text; each byte of a run that is no UTF-8 becomes U+FFFD. */
function byteFallback(tokens: string[]): string[] {
  const pieces: string[] = [];
  let run: number[] = [];
  function endRun(): void {
    if (run.length === 0) return;
    try {
      pieces.push(strictUtf8.decode(Uint8Array.from(run)));
    } catch {
      pieces.push("\uFFFD".repeat(run.length));
    }
    run = [];
  }
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) {
      run.push(Number.parseInt(byte, 16));
    } else {
      endRun();
      pieces.push(token);
    }
  }
  endRun();
  return pieces;
}

/** Marks become spaces; those of the first token were put there by the encoder. */
function metaspace(step: Step): Chain {
  const mark = typeof step.replacement === "string" ? step.replacement : "▁";
  const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? "never" : "always");
  return (tokens) => tokens.map((token, index) => token.replaceAll(mark, index === 0 && scheme !== "never" ? "" : " "));
}

function replace(step: Step, path: string): Chain {
  const pattern = step.pattern;
  const content = String(step.content ?? "");
  if (typeof pattern === "object" && pattern !== null && "String" in pattern && typeof pattern.String === "string") {
    const sought = pattern.String;
    return (tokens) => tokens.map((token) => token.replaceAll(sought, () => content));
  }
  throw unsupported(path, "a decoder that replaces by a regular expression");
}

function strip(step: Step): Chain {
  const { content = " ", start = 0, stop = 0 } = step as { content?: string; start?: number; stop?: number };
  return (tokens) =>
    tokens.map((token) => {
      const characters = [...token];
      let from = 0;
      while (from < start && characters[from] === content) from += 1;
      let to = characters.length;
      while (to > from && characters.length - to < stop && characters[to - 1] === content) to -= 1;
      return characters.slice(from, to).join("");
    });
}
