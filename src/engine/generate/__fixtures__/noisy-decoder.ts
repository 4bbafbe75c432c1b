import type { Decoder, NewTokens } from "../decoder.ts";

/**
 * A decoder without a model: the logits are a hash of the row's tokens, and of the number of rows that run together when
 * `noise` is set, as on a machine where the batch's shape shows in the last bits. Counts its runs.
 */
export function noisyDecoder(options: { vocab_size: number; rows: number; length: number; noise: boolean }) {
  const { vocab_size, rows, length, noise } = options;
  const texts: number[][] = Array.from({ length: rows }, () => []);
  const runs: NewTokens[] = [];
  const logits = new Float32Array(rows * vocab_size);
  const decoder: Decoder = {
    vocab_size,
    rows,
    length,
    async run(input) {
      await new Promise((resolve) => setImmediate(resolve));
      runs.push(input);
      const { first, tokens, past } = input;
      const width = tokens.length / past.length;
      past.forEach((known, at) => {
        const text = [...texts[first + at]!.slice(0, known), ...tokens.slice(at * width, (at + 1) * width)];
        if (text.length !== known + width || text.length > length) throw new RangeError("the row does not hold what it should");
        texts[first + at] = text;
        let hash = noise ? past.length : 0;
        for (const id of text) hash = (Math.imul(hash ^ id, 0x01000193) + 0x9e3779b9) >>> 0;
        for (let id = 0; id < vocab_size; id += 1) {
          hash = (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) + id) >>> 0;
          logits[at * vocab_size + id] = (hash / 2 ** 32) * 4;
        }
      });
      return logits.subarray(0, past.length * vocab_size);
    },
    copy: (from, to, count) => void (texts[to] = texts[from]!.slice(0, count)),
    take: (row, count) => ({ length: count, parts: [Float32Array.from(texts[row]!.slice(0, count))] }),
    put: (row, { parts }) => void (texts[row] = Array.from(parts[0]!)),
    close: async () => undefined,
  };
  return { decoder, runs };
}
