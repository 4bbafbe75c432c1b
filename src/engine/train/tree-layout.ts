import type { ModelConfig } from "../model/model-config.ts";
import type { LeastRows } from "./steady-sums.ts";

/** Tokens of a row: of its prompt, and of each reply that stands in it, one after the other. */
export interface RowLengths {
  prompt: number;
  replies: readonly number[];
}

/** Query heads and key heads of a model. */
export interface Heads {
  query: number;
  key: number;
}

export function headsOf({ num_attention_heads, num_key_value_heads }: ModelConfig): Heads {
  return { query: num_attention_heads, key: num_key_value_heads };
}

/** B rows of T tokens with places for them: U in each row's trunk, and L in each of its S branches. */
export interface TreeShape {
  rows: number;
  length: number;
  trunk: number;
  branches: number;
  branch: number;
}

/** Which token has which place. Places count the trunks' of all rows first, then the branches'. */
export interface TreePlaces {
  shape: TreeShape;
  /** Of each token, [B*T]. */
  seats: Int32Array;
  /** The token at each place; where none has its seat, any. */
  tokens: Int32Array;
  /** [B, U, U] and [B, S, L, U+L]: what the token at a place may look at. */
  trunk_mask: Float32Array;
  branch_mask: Float32Array;
}

const UNSEEN = -1e30;
/** Branches are computed apart from their trunk where attention costs this share of the whole row's then, or less. */
const WORTH_IT = 0.8;
/** A stretch's products cost as much as this many pairs of a query and a key, however short it is. */
const STRETCH_COST = 256;

/**
 * Seats for the tokens of trees: prompts in trunks and replies in branches; or all of a row in its trunk, where rows are so
 * unlike each other that filling them up would cost more. A token sees its prompt and its own reply up to itself. One that only
 * fills its row up sees itself, at a place of its own that no other token looks at.
 */
export function placeTokens(rows: readonly RowLengths[], length: number, least: LeastRows): TreePlaces {
  const { apart, ...shape } = chooseShape(rows, length, least);
  const { trunk: U, branches: S, branch: L } = shape;
  const first_branch = rows.length * U;
  const width = U + L;
  const seats = new Int32Array(rows.length * length);
  const tokens = new Int32Array(first_branch + rows.length * S * L).fill(-1);
  const trunk_mask = new Float32Array(first_branch * U).fill(UNSEEN);
  const branch_mask = new Float32Array(rows.length * S * L * width).fill(UNSEEN);
  for (let at = 0; at < first_branch; at += 1) trunk_mask[at * U + (at % U)] = 0;
  for (let at = 0; at < rows.length * S * L; at += 1) branch_mask[at * width + U + (at % L)] = 0;

  const sit = (token: number, place: number) => {
    seats[token] = place;
    tokens[place] = token;
  };
  rows.forEach(({ prompt, replies }, row) => {
    let token = row * length;
    for (let at = 0; at < prompt; at += 1) {
      const place = row * U + at;
      sit(token++, place);
      trunk_mask.fill(0, place * U, place * U + at + 1);
    }
    let start = prompt;
    replies.forEach((size, reply) => {
      for (let at = 0; at < size; at += 1) {
        const branch_place = (row * S + reply) * L + at;
        const place = apart ? first_branch + branch_place : row * U + start + at;
        const [mask, line, own] = apart ? [branch_mask, branch_place * width, U] : [trunk_mask, place * U, start];
        sit(token++, place);
        mask.fill(0, line, line + prompt);
        mask.fill(0, line + own, line + own + at + 1);
      }
      start += size;
    });
    if (start === U + S * L) return;
    for (const place of placesOfRow(shape, row)) {
      if (tokens[place] !== -1) continue;
      if (token < (row + 1) * length) sit(token++, place);
      else tokens[place] = row * length;
    }
  });
  return { shape, seats, tokens, trunk_mask, branch_mask };
}

function* placesOfRow({ rows, trunk, branches, branch }: TreeShape, row: number): Generator<number> {
  for (let at = 0; at < trunk; at += 1) yield row * trunk + at;
  const size = branches * branch;
  for (let at = 0; at < size; at += 1) yield rows * trunk + row * size + at;
}

function chooseShape(rows: readonly RowLengths[], length: number, least: LeastRows): TreeShape & { apart: boolean } {
  const filled = (trunk: number, branches: number, branch: number): TreeShape => {
    const U = Math.max(trunk, least.queries(trunk), least.keys(trunk + 1));
    const L = Math.max(branch, least.queries(U + branch), least.keys(branch) - U);
    return { rows: rows.length, length, trunk: U, branches, branch: L };
  };
  const most = (of: (row: RowLengths) => number) => Math.max(1, ...rows.map(of));
  const branched = filled(
    most(({ prompt }) => prompt),
    most(({ replies }) => replies.length),
    most(({ replies }) => Math.max(0, ...replies)),
  );
  // Where a row is longer than any tree, what fills it up has branches of its own.
  const filling = Math.ceil((length - branched.trunk) / branched.branch);
  const apart = { ...branched, branches: Math.max(branched.branches, filling) };
  const whole = filled(length, 0, 1);
  const { trunk: U, branch: L } = apart;
  // More queries to fill up with are more keys: for wide heads there may be no end to that.
  const is_steady = L >= least.queries(U + L) && U + L >= least.keys(L);
  const is_less = costOf(apart) <= WORTH_IT * costOf(whole);
  return is_steady && is_less ? { ...apart, apart: true } : { ...whole, apart: false };
}

/** Of a row's attention, in pairs of a query and a key. */
function costOf(shape: TreeShape): number {
  return pairsIn(shape) + (1 + shape.branches) * STRETCH_COST;
}

function pairsIn({ trunk: U, branches: S, branch: L }: TreeShape): number {
  return U * U + S * L * (U + L);
}

/** How many tokens each token of these rows is multiplied with, on average. */
export function seenByEach(rows: readonly RowLengths[], length: number, least: LeastRows): number {
  return pairsIn(chooseShape(rows, length, least)) / length;
}

/** What all tokens look at, as the graph's inputs `trunk_…`, `branch_…`, `seats` and `key_seats`. */
export function attentionInputs({ shape, tokens, seats, trunk_mask, branch_mask }: TreePlaces, { query, key }: Heads) {
  const { rows: B, length: T, trunk: U, branches: S, branch: L } = shape;
  const [trunks, branches] = [tokens.subarray(0, B * U), tokens.subarray(B * U)];
  const seen = new Int32Array(B * S * (U + L));
  for (let at = 0; at < B * S; at += 1) {
    const row = Math.floor(at / S);
    seen.set(trunks.subarray(row * U, (row + 1) * U), at * (U + L));
    seen.set(branches.subarray(at * L, (at + 1) * L), at * (U + L) + U);
  }
  const groups = query / key;
  return {
    trunk_queries: { data: headsAt(trunks, U, query), shape: [B, key, groups * U] },
    trunk_keys: { data: headsAt(trunks, U, key), shape: [B, key, U] },
    trunk_mask: { data: trunk_mask, shape: [B, 1, 1, U, U] },
    branch_queries: { data: headsAt(branches, L, query), shape: [B, S, key, groups * L] },
    branch_keys: { data: headsAt(seen, U + L, key), shape: [B, S, key, U + L] },
    branch_mask: { data: branch_mask, shape: [B, S, 1, 1, L, U + L] },
    seats: { data: headSeats(seats, shape, query), shape: [B * T, query] },
    key_seats: { data: headSeats(seats, shape, key), shape: [B * T, key] },
  };
}

/** Heads at places: tokens (or rows) [n, size] -> [n, heads, size], each as token times heads plus head. */
export function headsAt(tokens: Int32Array, size: number, heads: number): Int32Array {
  const made = new Int32Array(tokens.length * heads);
  let at = 0;
  for (let start = 0; start < tokens.length; start += size) {
    for (let head = 0; head < heads; head += 1) {
      for (let index = start; index < start + size; index += 1) made[at++] = (tokens[index] ?? 0) * heads + head;
    }
  }
  return made;
}

/** Where each head of these places is when places [n, trunk] and after them [m, branch] are laid out by `headsAt`. */
export function headSeats(places: Int32Array, { rows, trunk, branch }: TreeShape, heads: number): Int32Array {
  const made = new Int32Array(places.length * heads);
  const first_branch = rows * trunk;
  let at = 0;
  for (let index = 0; index < places.length; index += 1) {
    const place = places[index] ?? 0;
    const is_trunk = place < first_branch;
    const from = is_trunk ? 0 : first_branch;
    const size = is_trunk ? trunk : branch;
    const within = (place - from) % size;
    const start = (place - within) * heads + within;
    for (let head = 0; head < heads; head += 1) made[at++] = start + head * size;
  }
  return made;
}
