import {
  type Board,
  EMPTY_BOARD,
  illegalReason,
  isOver,
  legalMoves,
  type MoveRequest,
  opponentOf,
  type Player,
  play,
  sideToMove,
  winnerOf,
} from "./board.ts";
import type { LineCounts, Plays } from "./evaluate-model-lines.ts";
import type { ModelReport } from "./evaluate-model-report.ts";
import { keepsValue } from "./positions.ts";

/** How games end, as shares. */
export interface Outcomes {
  win_rate: number;
  draw_rate: number;
  loss_rate: number;
}

/** A model by itself, one greedy reply a turn; every figure is computed over all positions or all lines, none is sampled. */
export interface DemoFigures extends Outcomes {
  against_perfect: Outcomes;
  well_formed_rate: number;
  legal_rate: number;
  /** Share of positions in which its move is as good as any. */
  best_move_rate: number;
  /** Lines of play that beat it. */
  losing_lines: { X: number; O: number };
  lines: { X: number; O: number };
  /** Positions. */
  n: number;
}

/** `legal_rate` and `well_formed_rate` are those of replies drawn at temperature 1, the rest is of greedy play. */
export function demoFigures(report: ModelReport, plays: Plays): DemoFigures {
  const { as_x, as_o, sampled, greedy, positions } = report;
  const random = mean(outcomesOf(as_x.against_random), outcomesOf(as_o.against_random));
  return {
    ...random,
    against_perfect: mean(againstPerfect(plays, 1), againstPerfect(plays, -1)),
    well_formed_rate: sampled.well_formed,
    legal_rate: sampled.legal,
    best_move_rate: greedy.keeps_value,
    losing_lines: { X: as_x.losses, O: as_o.losses },
    lines: { X: as_x.lines, O: as_o.lines },
    n: positions,
  };
}

function outcomesOf({ wins, draws, losses }: LineCounts["against_random"]): Outcomes {
  return { win_rate: wins, draw_rate: draws, loss_rate: losses };
}

function mean(a: Outcomes, b: Outcomes): Outcomes {
  return {
    win_rate: (a.win_rate + b.win_rate) / 2,
    draw_rate: (a.draw_rate + b.draw_rate) / 2,
    loss_rate: (a.loss_rate + b.loss_rate) / 2,
  };
}

/** How games end against somebody who always makes a move that is as good as any, each of these as often as the others. */
export function againstPerfect(plays: Plays, side: Player): Outcomes {
  const shares: Outcomes = { win_rate: 0, draw_rate: 0, loss_rate: 0 };
  const end = (winner: Player | 0, likelihood: number) => {
    shares[winner === 0 ? "draw_rate" : winner === side ? "win_rate" : "loss_rate"] += likelihood;
  };
  function walk(board: Board, likelihood: number): void {
    const request: MoveRequest = { board, player: sideToMove(board) };
    if (isOver(board)) {
      end(winnerOf(board), likelihood);
    } else if (request.player === side) {
      const move = plays(request);
      if (move === null || illegalReason(board, move) !== undefined) end(opponentOf(side), likelihood);
      else walk(play(board, move, side), likelihood);
    } else {
      const best = legalMoves(board).filter((move) => keepsValue(request, move));
      for (const move of best) walk(play(board, move, request.player), likelihood / best.length);
    }
  }
  walk(EMPTY_BOARD, 1);
  return shares;
}

/** Before and after, for people. */
export function demoTable(before: DemoFigures, after: DemoFigures): string {
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  const row = (name: string, of: (figures: DemoFigures) => string) =>
    `${name.padEnd(52)}${of(before).padStart(14)}${of(after).padStart(14)}`;
  const outcomes = (name: string, of: (figures: DemoFigures) => Outcomes) => [
    row(`${name}: won`, (figures) => percent(of(figures).win_rate)),
    row("    drawn", (figures) => percent(of(figures).draw_rate)),
    row("    lost", (figures) => percent(of(figures).loss_rate)),
  ];
  return [
    `${"the model by itself, no scorer, no second try".padEnd(52)}${"before".padStart(14)}${"after".padStart(14)}`,
    ...outcomes("against a random opponent", (figures) => figures),
    ...outcomes("against a perfect opponent", ({ against_perfect }) => against_perfect),
    row("replies that are well-formed, temperature 1", ({ well_formed_rate }) => percent(well_formed_rate)),
    row("replies that are legal, temperature 1", ({ legal_rate }) => percent(legal_rate)),
    row(`best move, of all ${before.n} positions`, ({ best_move_rate }) => percent(best_move_rate)),
    row("lines of play that beat it as X", ({ losing_lines, lines }) => `${losing_lines.X} of ${lines.X}`),
    row("lines of play that beat it as O", ({ losing_lines, lines }) => `${losing_lines.O} of ${lines.O}`),
  ].join("\n");
}
