import {
  type Board,
  EMPTY_BOARD,
  isOver,
  legalMoves,
  type Move,
  type MoveRequest,
  opponentOf,
  play,
  sideToMove,
} from "./board.ts";
import { codeOf, verdictOf } from "./solver.ts";

/** Every position that a game can come to and in which somebody is to move: 4,520, the empty board first. */
export function reachablePositions(): MoveRequest[] {
  const found = new Map<number, MoveRequest>();
  const waiting: Board[] = [EMPTY_BOARD];
  for (let board = waiting.pop(); board !== undefined; board = waiting.pop()) {
    const code = codeOf(board);
    if (found.has(code) || isOver(board)) continue;
    const player = sideToMove(board);
    found.set(code, { board, player });
    for (const move of legalMoves(board)) waiting.push(play(board, move, player));
  }
  return [...found.values()];
}

/** Whether a legal move is as good as any: a position that is won stays won, and one that is drawn does not become lost. */
export function keepsValue({ board, player }: MoveRequest, move: Move): boolean {
  const before = verdictOf(board, player, player);
  const after = verdictOf(play(board, move, player), player, opponentOf(player));
  return after.outcome === before.outcome;
}
