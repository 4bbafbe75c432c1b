import type { LeastRows } from "./steady-sums.ts";

/** A token whose log-probability is wanted, and the token before it by its place among all of a micro-batch. */
export interface Prediction {
  after: number;
  target: number;
}

/** As `WantedTokens` of `model/forward.ts` and `Wanted` of `model/token-log-probabilities.ts` take them. */
export interface WantedTensors {
  wanted: BigInt64Array;
  places: BigInt64Array;
  select: BigInt64Array;
  targets: BigInt64Array;
}

interface Layout {
  /** B, T and K. */
  rows: number;
  length: number;
  chunks: number;
  least: LeastRows;
}

/** Which tokens the model's last block goes on with, and which of these each wanted token follows. */
export function wantedTokens(predictions: readonly Prediction[], layout: Layout) {
  const { chunks, least } = layout;
  const { wanted, places, size } = goingOn(predictions, layout);
  const wanted_each = Math.max(Math.ceil(predictions.length / chunks), least.wanted);
  // Padding at the end follows the first token: its weights are 0.
  const select = new BigInt64Array(chunks * wanted_each);
  const targets = new BigInt64Array(chunks * wanted_each);
  for (const [index, { after, target }] of predictions.entries()) {
    select[index] = places[after] ?? 0n;
    targets[index] = BigInt(target);
  }
  return { wanted, places, select, targets, sizes: { going_on: size, wanted: wanted_each } };
}

/**
 * The tokens of each row that something follows, each once, in places as many as the fullest row needs and one more. So the
 * last place of a row is one that nothing follows: no gradient comes from there, and there stand the tokens that are not wanted.
 */
function goingOn(predictions: readonly Prediction[], { rows, length, least }: Layout) {
  const of_row = Array.from({ length: rows }, () => new Set<number>());
  for (const { after } of predictions) of_row[Math.floor(after / length)]?.add(after);
  const size = Math.max(
    ...of_row.map((tokens) => tokens.size + 1),
    least.queries(length),
    Math.ceil(Math.max(least.tokens, least.wanted) / rows),
  );
  const wanted = new BigInt64Array(rows * size);
  const places = new BigInt64Array(rows * length);
  for (const [row, tokens] of of_row.entries()) {
    const start = row * size;
    wanted.fill(BigInt(row * length), start, start + size);
    places.fill(BigInt(start + size - 1), row * length, (row + 1) * length);
    for (const [index, token] of [...tokens].entries()) {
      wanted[start + index] = BigInt(token);
      places[token] = BigInt(start + index);
    }
  }
  return { wanted, places, size };
}
