/**
 * The n-th number of a stream of uniform numbers in [0, 1), by its place and not by what was drawn before: a text's
 * randomness is the same whatever else is made beside it. Philox4x32 with 10 rounds (Salmon et al. 2011), 53 bits of it.
 */
export function uniformAt(seed: number, stream: number, n: number): number {
  const [high, low] = philox([n >>> 0, Math.floor(n / 2 ** 32) >>> 0, stream >>> 0, 0], seedWords(seed));
  return (high * 2 ** 21 + (low >>> 11)) / 2 ** 53;
}

function seedWords(seed: number): [number, number] {
  return [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
}

type Four = [number, number, number, number];

/** Four words of 32 bits from a counter of four and a key of two. */
export function philox(counter: Readonly<Four>, key: readonly [number, number]): Four {
  let [a, b, c, d] = counter;
  let [left, right] = key;
  for (let round = 0; round < 10; round += 1) {
    const [a_high, c_high] = [highWord(0xd2511f53, a), highWord(0xcd9e8d57, c)];
    const [a_low, c_low] = [Math.imul(0xd2511f53, a), Math.imul(0xcd9e8d57, c)];
    [a, b, c, d] = [(c_high ^ b ^ left) >>> 0, c_low >>> 0, (a_high ^ d ^ right) >>> 0, a_low >>> 0];
    left = (left + 0x9e3779b9) >>> 0;
    right = (right + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

/** The upper 32 bits of the product of two words. */
function highWord(x: number, y: number): number {
  const [x_low, x_high] = [x & 0xffff, x >>> 16];
  const [y_low, y_high] = [y & 0xffff, y >>> 16];
  const middle = x_high * y_low + ((x_low * y_low) >>> 16);
  const other = x_low * y_high + (middle & 0xffff);
  return (x_high * y_high + (middle >>> 16) + (other >>> 16)) >>> 0;
}
