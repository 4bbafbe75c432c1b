import { expect, test } from "vitest";
import { type Board, EMPTY_BOARD, legalMoves, type Player, SQUARES } from "./board.ts";
import { countLines, type Plays } from "./evaluate-model-lines.ts";
import { playGame } from "./game.ts";
import { keepsValue } from "./positions.ts";
import { codeOf } from "./solver.ts";

const first: Plays = ({ board }) => legalMoves(board)[0] ?? null;
const perfect: Plays = (request) => legalMoves(request.board).find((move) => keepsValue(request, move)) ?? null;
/** The same board is always answered alike; some answers are squares that are taken, and some are none. */
function anything(seed: number): Plays {
  return ({ board }) => SQUARES[(codeOf(board) * 7919 + seed * 104729) % 11] ?? null;
}
function legal(seed: number): Plays {
  return ({ board }) => {
    const moves = legalMoves(board);
    return moves[(codeOf(board) * 7919 + seed * 104729) % moves.length] ?? null;
  };
}

/**
 * Another way: the referee plays whole games, and the opponent follows a list of choices that is counted up like the
 * digits of a number until every one has been played.
 */
async function bruteForce(plays: Plays, side: Player) {
  const counts = {
    lines: 0,
    wins: 0,
    draws: 0,
    losses: 0,
    forfeits: 0,
    against_random: { wins: 0, draws: 0, losses: 0 },
  };
  let choices: number[] = [];
  for (;;) {
    const offered: number[] = [];
    const own = async (request: { board: Board; player: Player }) => ({ move: plays(request) });
    const other = async ({ board }: { board: Board }) => {
      const moves = legalMoves(board);
      offered.push(moves.length);
      return { move: moves[choices[offered.length - 1] ?? 0] ?? null };
    };
    const game = await playGame(EMPTY_BOARD, side, side === 1 ? { X: own, O: other } : { X: other, O: own });
    const outcome = ({ win: "wins", draw: "draws", loss: "losses" } as const)[game.outcome];
    counts.lines += 1;
    counts[outcome] += 1;
    if (game.forfeit_by) counts.forfeits += 1;
    counts.against_random[outcome] += offered.reduce((share, moves) => share / moves, 1);

    const digits = offered.map((_, index) => choices[index] ?? 0);
    while (digits.length > 0 && digits.at(-1) === offered[digits.length - 1]! - 1) digits.pop();
    if (digits.length === 0) return counts;
    digits[digits.length - 1]! += 1;
    choices = digits;
  }
}

const PLAYERS: [string, Plays][] = [
  ["always the first free square", first],
  ["perfect play", perfect],
  ...[1, 2, 3].map((seed): [string, Plays] => [`legal moves of seed ${seed}`, legal(seed)]),
  ...[1, 2, 3].map((seed): [string, Plays] => [`moves and mistakes of seed ${seed}`, anything(seed)]),
];

test.each(PLAYERS)("every line against %s ends as the referee has it, as X and as O", async (_, plays) => {
  for (const side of [1, -1] as const) {
    const { against_random, ...counts } = countLines(plays, side);
    const expected = await bruteForce(plays, side);

    expect({ ...counts, against_random: expected.against_random }).toEqual(expected);
    for (const outcome of ["wins", "draws", "losses"] as const) {
      expect(against_random[outcome]).toBeCloseTo(expected.against_random[outcome], 12);
    }
    expect(counts.wins + counts.draws + counts.losses).toBe(counts.lines);
    expect(against_random.wins + against_random.draws + against_random.losses).toBeCloseTo(1, 12);
  }
});

test("perfect play loses no line; whoever moves nowhere loses all of them by forfeit", () => {
  expect(countLines(perfect, 1)).toMatchObject({ losses: 0, forfeits: 0 });
  expect(countLines(perfect, -1)).toMatchObject({ losses: 0, forfeits: 0 });
  expect(countLines(() => null, 1)).toMatchObject({ lines: 1, losses: 1, forfeits: 1 });
  // The nine first moves of X, and then no answer.
  expect(countLines(() => null, -1)).toMatchObject({ lines: 9, losses: 9, forfeits: 9 });
});
