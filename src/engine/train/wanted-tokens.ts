import type { LeastRows } from "./steady-sums.ts";
import { type Heads, headSeats, headsAt, type TreePlaces, type TreeShape } from "./tree-layout.ts";

/** Tokens whose log-probabilities are wanted, and the token before each by its place among all of a micro-batch. */
export interface Predictions {
  after: Int32Array;
  targets: Int32Array;
}

/** The tokens that the model's last block goes on with: what something follows, and what fills the layout up. */
export interface GoingOn {
  /** As the places of all tokens, but with W of each trunk. */
  shape: TreeShape;
  /** [X]: which tokens. */
  wanted: Int32Array;
  /** [B*T]: where each token is among them; one that is not is where nothing follows. */
  places: Int32Array;
  /** [B, W, U]: what these of the trunks may look at. */
  wanted_mask: Float32Array;
}

/**
 * Of each trunk the tokens that something follows, each once, in places as many as the fullest one needs and one more, which
 * nothing follows; and all of the branches, in which something follows each.
 */
export function goingOn({ after }: Predictions, layout: TreePlaces, least: LeastRows): GoingOn {
  const { shape, seats, tokens, trunk_mask } = layout;
  const { rows, length, trunk: U, branches, branch } = shape;
  const of_trunk = Array.from({ length: rows }, () => new Set<number>());
  for (const token of after) {
    if ((seats[token] ?? 0) < rows * U) of_trunk[Math.floor(token / length)]?.add(token);
  }
  const in_branches = rows * branches * branch;
  const W = Math.max(
    ...of_trunk.map((own) => own.size + 1),
    least.queries(U),
    Math.ceil((Math.max(least.tokens, least.wanted) - in_branches) / rows),
  );
  const wanted = new Int32Array(rows * W + in_branches);
  const places = new Int32Array(rows * length);
  const wanted_mask = new Float32Array(rows * W * U);
  const moved = rows * (W - U);
  seats.forEach((seat, token) => {
    const filling = (Math.floor(token / length) + 1) * W - 1;
    places[token] = seat < rows * U ? filling : seat + moved;
  });
  for (const [row, own] of of_trunk.entries()) {
    const chosen = [...own];
    for (let at = 0; at < W; at += 1) {
      const token = chosen[at] ?? row * length;
      const place = row * W + at;
      const seen = (seats[token] ?? 0) * U;
      wanted[place] = token;
      wanted_mask.set(trunk_mask.subarray(seen, seen + U), place * U);
      if (at < chosen.length) places[token] = place;
    }
  }
  wanted.set(tokens.subarray(rows * U), rows * W);
  return { shape: { ...shape, trunk: W }, wanted, places, wanted_mask };
}

/** What these look at, as the graph's inputs `wanted…` and `places`. */
export function wantedInputs({ shape, wanted, places, wanted_mask }: GoingOn, { query, key }: Heads) {
  const { rows: B, trunk: W, branches: S, branch: L } = shape;
  const own = new Int32Array(wanted.length);
  for (let at = 0; at < own.length; at += 1) own[at] = at;
  const [trunks, branches] = [own.subarray(0, B * W), own.subarray(B * W)];
  const groups = query / key;
  return {
    wanted: { data: wanted, shape: [wanted.length] },
    places: { data: places, shape: [places.length] },
    wanted_trunk_queries: { data: headsAt(trunks, W, query), shape: [B, key, groups * W] },
    wanted_branch_queries: { data: headsAt(branches, L, query), shape: [B, S, key, groups * L] },
    wanted_trunk_mask: { data: wanted_mask, shape: [B, 1, 1, W, wanted_mask.length / (B * W)] },
    wanted_seats: { data: headSeats(own, shape, query), shape: [wanted.length, query] },
  };
}

/** Of each wanted token the place that it follows, and which token that is, in K equal parts. */
export function selected(
  { after, targets: following }: Predictions,
  { places }: GoingOn,
  { chunks, least }: { chunks: number; least: LeastRows },
) {
  const wanted = Math.max(Math.ceil(after.length / chunks), least.wanted);
  // Padding at the end follows the first token: its weights are 0.
  const select = new BigInt64Array(chunks * wanted);
  const targets = new BigInt64Array(chunks * wanted);
  after.forEach((token, index) => {
    select[index] = BigInt(places[token] ?? 0);
    targets[index] = BigInt(following[index] ?? 0);
  });
  const shape = [chunks, wanted];
  return { select: { data: select, shape }, targets: { data: targets, shape }, wanted };
}
