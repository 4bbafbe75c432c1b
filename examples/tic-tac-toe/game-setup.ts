import { PairwrightError, z } from "pairwright";
import {
  type Board,
  EMPTY_BOARD,
  illegalReason,
  isOver,
  legalMoves,
  type Player,
  play,
  playerOf,
  sideToMove,
} from "./board.ts";
import { PlayerSymbolSchema } from "./game.ts";

/** The fields of a data-set row that say which game to play; the others are not looked at. */
const GameRow = z.object({
  trained_player: PlayerSymbolSchema,
  /** Squares as [row, column] from 1, X's first, the two taking turns. */
  opening: z.array(z.tuple([z.int(), z.int()])).default([]),
  /** So many moves at random after the opening, of both sides, drawn anew each time; fewer where the next one had to end the game. */
  random_plies: z.int().min(0).max(6).default(0),
  /** `every`: not one game against the other player, but all that there are, whatever the other side plays. */
  opponent: z.literal("every").optional(),
});

/** Where a game begins, and which side's play is measured. */
export interface GameSetup {
  trained: Player;
  board: Board;
  /** Whether all games from there are played. */
  every: boolean;
}

/**
 * The game that an example asks for: by its row; where a workflow is given only an input, by that: an object with the
 * same fields, or just the trained player's symbol. `random` gives numbers of [0, 1) for random plies. Throws naming the
 * field that is wrong.
 */
export function gameSetup(
  input: unknown,
  example: { id: string; row: Record<string, unknown> },
  random: () => number,
): GameSetup {
  const where = `example "${example.id}"`;
  const parsed = GameRow.safeParse(fieldsOf(input, example.row));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.map((key) => (typeof key === "number" ? `[${key}]` : String(key))).join("") ?? "";
    throw badRow(where, `\`${field}\`: ${issue?.message ?? "not as it should be"}`);
  }

  let board = EMPTY_BOARD;
  for (const [index, [row, col]] of parsed.data.opening.entries()) {
    const fault = isOver(board) ? "the game is over before this move" : illegalReason(board, { row, col });
    if (fault) throw badRow(where, `\`opening[${index}]\`: ${fault}`);
    board = play(board, { row, col }, sideToMove(board));
  }
  if (isOver(board)) throw badRow(where, "`opening`: it ends the game, so there is nothing left to play");
  return {
    trained: playerOf(parsed.data.trained_player),
    board: withRandomPlies(board, parsed.data.random_plies, random),
    every: parsed.data.opponent === "every",
  };
}

/** Each move as likely as the others that do not end the game. */
function withRandomPlies(start: Board, plies: number, random: () => number): Board {
  let board = start;
  for (let ply = 0; ply < plies; ply += 1) {
    const going_on = legalMoves(board)
      .map((move) => play(board, move, sideToMove(board)))
      .filter((next) => !isOver(next));
    const next = going_on[Math.floor(random() * going_on.length)];
    if (next === undefined) break;
    board = next;
  }
  return board;
}

function fieldsOf(input: unknown, row: Record<string, unknown>): unknown {
  if (typeof input === "object" && input !== null) return input;
  return "trained_player" in row ? row : { trained_player: input };
}

function badRow(where: string, what: string): PairwrightError {
  return new PairwrightError({
    code: "bad_game",
    where,
    what,
    fix: 'give `trained_player` "X" or "O", and `opening` as free squares [row, column] from 1 that leave the game open',
    exit_code: 2,
  });
}
