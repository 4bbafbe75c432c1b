import { z } from "pairwright";
import {
  type Board,
  illegalReason,
  isOver,
  legalMoves,
  type Move,
  type Player,
  play,
  sideToMove,
  symbolOf,
} from "./board.ts";
import { countLines } from "./evaluate-model-lines.ts";
import { type Decide, PlayerSymbolSchema } from "./game.ts";
import { codeOf } from "./solver.ts";

const Count = z.int().nonnegative();

/** How all games against a player ended: one line for each way in which the other side can play. */
export const EveryGameResult = z.strictObject({
  trained_player: PlayerSymbolSchema,
  lines: Count,
  wins: Count,
  draws: Count,
  /** Forfeits are in here, too. */
  losses: Count,
  forfeits: Count,
  /** Positions in which the player was asked. */
  positions: Count,
  /** As shares of the games against an opponent that plays each legal move as often as the others. */
  against_random: z.strictObject({ wins: z.number(), draws: z.number(), losses: z.number() }),
});
export type EveryGameResult = z.infer<typeof EveryGameResult>;

/**
 * Plays all games that there are from `start` against a player that always answers the same. It is asked once in every position
 * that it can come to, all those of one ply at the same time and in a fixed order.
 */
export async function playEveryGame(start: Board, trained: Player, decide: Decide): Promise<EveryGameResult> {
  const moves = new Map<number, Move | null>();
  let boards = trained === sideToMove(start) ? [start] : afterAnyMove([start]);
  while (boards.length > 0) {
    const choices = await Promise.all(boards.map((board) => decide({ board, player: trained })));
    const next: Board[] = [];
    for (const [index, board] of boards.entries()) {
      const move = choices[index]?.move ?? null;
      moves.set(codeOf(board), move);
      if (move !== null && illegalReason(board, move) === undefined) next.push(play(board, move, trained));
    }
    boards = afterAnyMove(next);
  }
  const counts = countLines(({ board }) => moves.get(codeOf(board)) ?? null, trained, start);
  return { trained_player: symbolOf(trained), ...counts, positions: moves.size };
}

/** The boards that the side to move can make of these, each once; games that are over are not among them. */
function afterAnyMove(boards: readonly Board[]): Board[] {
  const found = new Map<number, Board>();
  for (const board of boards) {
    if (isOver(board)) continue;
    for (const move of legalMoves(board)) {
      const next = play(board, move, sideToMove(board));
      if (!isOver(next)) found.set(codeOf(next), next);
    }
  }
  return [...found.values()];
}
