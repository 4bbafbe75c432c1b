import type { LeastRows } from "./steady-sums.ts";
import { type Heads, headSeats, headsAt, type TreePlaces, type TreeShape } from "./tree-layout.ts";

/** A token whose log-probability is wanted, and the token before it by its place among all of a micro-batch. */
export interface Prediction {
  after: number;
  target: number;
}

/** The tokens that the model's last block goes on with: what something follows, and what fills the layout up. */
export interface GoingOn {
  /** As the places of all tokens, but with W of each trunk. */
  shape: TreeShape;
  /** int64 [X]: which tokens. */
  wanted: BigInt64Array;
  /** int64 [B*T]: where each token is among them; one that is not is where nothing follows. */
  places: BigInt64Array;
  /** [B, W, U]: what these of the trunks may look at. */
  wanted_mask: Float32Array;
}

/**
 * Of each trunk the tokens that something follows, each once, in places as many as the fullest one needs and one more, which
 * nothing follows; and all of the branches, in which something follows each.
 */
export function goingOn(predictions: readonly Prediction[], layout: TreePlaces, least: LeastRows): GoingOn {
  const { shape, seats, tokens, trunk_mask } = layout;
  const { rows, length, trunk: U, branches, branch } = shape;
  const of_trunk = Array.from({ length: rows }, () => new Set<number>());
  for (const { after } of predictions) {
    if ((seats[after] ?? 0) < rows * U) of_trunk[Math.floor(after / length)]?.add(after);
  }
  const in_branches = rows * branches * branch;
  const W = Math.max(
    ...of_trunk.map((own) => own.size + 1),
    least.queries(U),
    Math.ceil((Math.max(least.tokens, least.wanted) - in_branches) / rows),
  );
  const wanted = new BigInt64Array(rows * W + in_branches);
  const places = new BigInt64Array(rows * length);
  const wanted_mask = new Float32Array(rows * W * U);
  const moved = rows * (W - U);
  seats.forEach((seat, token) => {
    const filling = (Math.floor(token / length) + 1) * W - 1;
    places[token] = BigInt(seat < rows * U ? filling : seat + moved);
  });
  for (const [row, own] of of_trunk.entries()) {
    const chosen = [...own];
    for (let at = 0; at < W; at += 1) {
      const token = chosen[at] ?? row * length;
      const place = row * W + at;
      const seen = (seats[token] ?? 0) * U;
      wanted[place] = BigInt(token);
      wanted_mask.set(trunk_mask.subarray(seen, seen + U), place * U);
      if (at < chosen.length) places[token] = BigInt(place);
    }
  }
  for (let at = 0; at < in_branches; at += 1) wanted[rows * W + at] = BigInt(tokens[rows * U + at] ?? 0);
  return { shape: { ...shape, trunk: W }, wanted, places, wanted_mask };
}

/** What these look at, as the graph's inputs `wanted…` and `places`. */
export function wantedInputs({ shape, wanted, places, wanted_mask }: GoingOn, { query, key }: Heads) {
  const { rows: B, trunk: W, branches: S, branch: L } = shape;
  const own = Int32Array.from(wanted.keys());
  const [trunks, branches] = [own.subarray(0, B * W), own.subarray(B * W)];
  const groups = query / key;
  return {
    wanted: { data: wanted, shape: [wanted.length] },
    places: { data: places, shape: [places.length] },
    wanted_trunk_queries: { data: headsAt(trunks, W, query), shape: [B, key, groups * W] },
    wanted_branch_queries: { data: headsAt(branches, L, query), shape: [B, S, key, groups * L] },
    wanted_mask: { data: wanted_mask, shape: [B, 1, 1, W, wanted_mask.length / (B * W)] },
    wanted_seats: { data: headSeats(own, shape, query), shape: [wanted.length, query] },
  };
}

/** Of each wanted token the place that it follows, and which token that is, in K equal parts. */
export function selected(
  predictions: readonly Prediction[],
  { places }: GoingOn,
  { chunks, least }: { chunks: number; least: LeastRows },
) {
  const wanted = Math.max(Math.ceil(predictions.length / chunks), least.wanted);
  // Padding at the end follows the first token: its weights are 0.
  const select = new BigInt64Array(chunks * wanted);
  const targets = new BigInt64Array(chunks * wanted);
  for (const [index, { after, target }] of predictions.entries()) {
    select[index] = places[after] ?? 0n;
    targets[index] = BigInt(target);
  }
  const shape = [chunks, wanted];
  return { select: { data: select, shape }, targets: { data: targets, shape }, wanted };
}
