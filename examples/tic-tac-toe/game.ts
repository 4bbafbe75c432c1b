import { z } from "pairwright";
import {
  type Board,
  illegalReason,
  isOver,
  type Move,
  type MoveRequest,
  type Player,
  type PlayerSymbol,
  play,
  sideToMove,
  symbolOf,
  winnerOf,
} from "./board.ts";

export const PlayerSymbolSchema = z.enum(["X", "O"]);
const MoveSchema = z.object({ row: z.int(), col: z.int() });

/** What a player decided; `move` is null when no reply held one, and `reason` then says why. */
export const MoveChoice = z.object({ move: MoveSchema.nullable(), reason: z.string().optional() });
export interface MoveChoice {
  move: Move | null;
  reason?: string | undefined;
}

/** How a game ended, for the trained player: what the workflow gives back and the evaluator reads. */
export const GameResult = z.strictObject({
  outcome: z.enum(["win", "loss", "draw"]),
  trained_player: PlayerSymbolSchema,
  /** Those played, without the opening. */
  moves: z.array(z.strictObject({ player: PlayerSymbolSchema, row: z.int(), col: z.int() })),
  /** How many moves were played; an illegal one is none. */
  length: z.int().nonnegative(),
  /** Who could not make a legal move, and so lost. */
  forfeit_by: PlayerSymbolSchema.optional(),
  /** Why the forfeit. */
  reason: z.string().optional(),
  final_board: z.array(z.array(z.int())),
});
export type GameResult = z.infer<typeof GameResult>;

export type Decide = (request: MoveRequest) => Promise<MoveChoice>;

/**
 * Plays a game to its end from `board`. It is the referee too: a choice that is no legal move here loses the game by
 * forfeit, whoever proposed it and however it was scored.
 */
export async function playGame(
  start: Board,
  trained: Player,
  deciders: Record<PlayerSymbol, Decide>,
): Promise<GameResult> {
  const moves: GameResult["moves"] = [];
  let board = start;

  function result(winner: Player | 0, forfeit: Pick<GameResult, "forfeit_by" | "reason"> = {}): GameResult {
    return {
      outcome: winner === 0 ? "draw" : winner === trained ? "win" : "loss",
      trained_player: symbolOf(trained),
      moves,
      length: moves.length,
      ...forfeit,
      final_board: board.map((cells) => [...cells]),
    };
  }

  while (!isOver(board)) {
    const player = sideToMove(board);
    const symbol = symbolOf(player);
    const { move, reason } = await deciders[symbol]({ board, player });
    const fault = move ? illegalReason(board, move) : (reason ?? "no move was chosen");
    if (!move || fault) return result(player === 1 ? -1 : 1, { forfeit_by: symbol, reason: fault });
    board = play(board, move, player);
    moves.push({ player: symbol, ...move });
  }
  return result(winnerOf(board));
}
