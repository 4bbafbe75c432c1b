import {
  type Board,
  EMPTY_BOARD,
  illegalReason,
  isOver,
  legalMoves,
  type Move,
  type MoveRequest,
  opponentOf,
  type Player,
  play,
  sideToMove,
  winnerOf,
} from "./board.ts";

/** What somebody who always plays the same does in a position; null for no move. */
export type Plays = (request: MoveRequest) => Move | null;

/** How the games of a player that always plays the same end: over every line that the other side can choose. */
export interface LineCounts {
  lines: number;
  wins: number;
  draws: number;
  /** Forfeits are in here, too. */
  losses: number;
  /** Lines that end because the player makes no legal move. */
  forfeits: number;
  /** The same as shares of the games against an opponent that plays each legal move as often as the others. */
  against_random: { wins: number; draws: number; losses: number };
}

/** Plays every game that there is against this player, from the empty board unless told. Exact, and the same each time. */
export function countLines(plays: Plays, side: Player, start: Board = EMPTY_BOARD): LineCounts {
  const counts: LineCounts = {
    lines: 0,
    wins: 0,
    draws: 0,
    losses: 0,
    forfeits: 0,
    against_random: { wins: 0, draws: 0, losses: 0 },
  };
  const end = (winner: Player | 0, likelihood: number) => {
    const outcome = winner === 0 ? "draws" : winner === side ? "wins" : "losses";
    counts.lines += 1;
    counts[outcome] += 1;
    counts.against_random[outcome] += likelihood;
  };

  /** `likelihood`: how often a random opponent comes to this board. */
  function walk(board: Board, likelihood: number): void {
    const player = sideToMove(board);
    if (isOver(board)) {
      end(winnerOf(board), likelihood);
    } else if (player === side) {
      const move = plays({ board, player });
      if (move !== null && illegalReason(board, move) === undefined) {
        walk(play(board, move, player), likelihood);
      } else {
        counts.forfeits += 1;
        end(opponentOf(side), likelihood);
      }
    } else {
      const moves = legalMoves(board);
      for (const move of moves) walk(play(board, move, player), likelihood / moves.length);
    }
  }

  walk(start, 1);
  return counts;
}
