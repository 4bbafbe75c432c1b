import type { Board, Player } from "./board.ts";
import { codeOf, pliesOf, solution } from "./solver.ts";

/** Below a forced loss, so that the worst legal move and an illegal one still make a pair. */
export const ILLEGAL_SCORE = -1;

/** At this difference of features an open position stands a quarter above the middle. */
const HALF_WAY = 8;

export interface ScoreOptions {
  /** Features and speed inside the tiers; without it the bare tiers: 0, 0.5, 11 and 16. */
  heuristic: boolean;
}

/**
 * How good a board is for `player` when `side` is to move, in the ranges of the seeds:
 *
 * - `0`: lost already, or by force.
 * - inside `(0, 1)`: nothing is forced, a finished draw included. `½ + ½·d/(8+|d|)`, where `d` is the player's features
 *   less the other's; it reaches neither end whatever `d` is, so no open position looks like a forced loss, and the two
 *   players' scores add up to 1.
 * - `(10, 11]`: a win that can be forced; the score tells only how soon (`10 + (10 - plies)/9`), so that of two equally
 *   quick ones neither is preferred.
 * - `16`, of the range `(15, 16]`: won already.
 */
export function scoreBoard(
  board: Board,
  player: Player,
  side: Player,
  { heuristic }: ScoreOptions = { heuristic: true },
): number {
  const { values, features } = solution();
  const code = codeOf(board);
  const value = (values[code * 2 + (side === 1 ? 0 : 1)] ?? 0) * player;
  if (value < 0) return 0;
  if (value > 0) {
    const plies = pliesOf(value);
    if (plies === 0) return 16;
    return heuristic ? 10 + (10 - plies) / 9 : 11;
  }
  if (!heuristic) return 0.5;
  const difference = (features[code] ?? 0) * player;
  return 0.5 + (0.5 * difference) / (HALF_WAY + Math.abs(difference));
}
