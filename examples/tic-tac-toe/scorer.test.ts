import { expect, test } from "vitest";
import type { Board, Cell, Player } from "./board.ts";
import { scoreBoard } from "./scorer.ts";
import { solution, verdictOf } from "./solver.ts";

// The brute force: characters and plain minimax, no table, no memory, nothing taken from the code under test.
const ROWS_OF_THREE = ["012", "345", "678", "036", "147", "258", "048", "246"];

function hasWon(cells: string, mark: string): boolean {
  return ROWS_OF_THREE.some((line) => [...line].every((square) => cells[Number(square)] === mark));
}

/** Who wins (`X`, `O` or `-`), and in how many plies, the winner hurrying and the loser delaying. */
function bruteForce(cells: string, mover: string): { winner: string; plies: number } {
  for (const mark of "XO") if (hasWon(cells, mark)) return { winner: mark, plies: 0 };
  if (!cells.includes(".")) return { winner: "-", plies: 0 };
  const other = mover === "X" ? "O" : "X";
  const worth = ({ winner, plies }: { winner: string; plies: number }) =>
    winner === mover ? 100 - plies : winner === other ? plies - 100 : 0;

  let best: { winner: string; plies: number } | undefined;
  for (let square = 0; square < 9; square += 1) {
    if (cells[square] !== ".") continue;
    const after = bruteForce(cells.slice(0, square) + mover + cells.slice(square + 1), other);
    const here = { winner: after.winner, plies: after.plies + 1 };
    if (!best || worth(here) > worth(best)) best = here;
  }
  return best!;
}

/** Every position that a game can reach, with the side to move. */
function reachable(): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (cells: string, mover: string) => {
    if (found.has(cells)) return;
    found.set(cells, mover);
    if (hasWon(cells, "X") || hasWon(cells, "O")) return;
    for (let square = 0; square < 9; square += 1) {
      if (cells[square] !== ".") continue;
      visit(cells.slice(0, square) + mover + cells.slice(square + 1), mover === "X" ? "O" : "X");
    }
  };
  visit(".........", "X");
  return found;
}

function boardOf(cells: string): Board {
  const numbers = [...cells].map((mark): Cell => (mark === "X" ? 1 : mark === "O" ? -1 : 0));
  return [numbers.slice(0, 3), numbers.slice(3, 6), numbers.slice(6)];
}

const POSITIONS = reachable();
const BARE = { heuristic: false };
const FULL = { heuristic: true };

test("the scores of all 5,478 reachable positions are in the range that brute force asks for, for both players", () => {
  const seen = { positions: 0, won: 0, lost: 0, forced_win: 0, forced_loss: 0, open: 0 };
  const wrong: string[] = [];

  for (const [cells, mover] of POSITIONS) {
    seen.positions += 1;
    const { winner, plies } = bruteForce(cells, mover);
    const board = boardOf(cells);
    const side: Player = mover === "X" ? 1 : -1;
    for (const [mark, player] of [
      ["X", 1],
      ["O", -1],
    ] as const) {
      const score = scoreBoard(board, player, side, FULL);
      const bare = scoreBoard(board, player, side, BARE);
      let right: boolean;
      if (winner === "-") {
        seen.open += 1;
        right = score > 0 && score < 1 && bare === 0.5;
      } else if (winner !== mark) {
        seen[plies === 0 ? "lost" : "forced_loss"] += 1;
        right = score === 0 && bare === 0;
      } else if (plies === 0) {
        seen.won += 1;
        right = score > 15 && score <= 16 && bare === 16;
      } else {
        seen.forced_win += 1;
        right = score > 10 && score <= 11 && Math.abs(score - (10 + (10 - plies) / 9)) < 1e-12 && bare === 11;
      }
      if (!right) wrong.push(`${cells} ${mover} to move, for ${mark}: ${score}, ${bare}`);
    }
  }

  expect(wrong).toEqual([]);
  expect(seen.positions).toBe(5478);
  // 942 = the games' ends with a winner: 626 for X, 316 for O; each is a win for one player and a loss for the other.
  expect(seen).toMatchObject({ won: 942, lost: 942 });
  expect(seen.forced_win).toBe(seen.forced_loss);
  expect(seen.won + seen.lost + seen.forced_win + seen.forced_loss + seen.open).toBe(2 * 5478);
});

test("what is a forced win for one player is a forced loss for the other, and open scores add up to one", () => {
  let open = 0;
  for (const [cells, mover] of POSITIONS) {
    const side: Player = mover === "X" ? 1 : -1;
    const forX = scoreBoard(boardOf(cells), 1, side);
    const forO = scoreBoard(boardOf(cells), -1, side);
    if (forX > 1 || forO > 1) {
      expect(Math.min(forX, forO)).toBe(0);
    } else {
      open += 1;
      expect(forX + forO).toBeCloseTo(1, 12);
    }
  }
  expect(open).toBeGreaterThan(1000);
});

test("with all colours changed, the other player has the same score", () => {
  for (const [cells, mover] of POSITIONS) {
    const side: Player = mover === "X" ? 1 : -1;
    const other: Player = side === 1 ? -1 : 1;
    const board = boardOf(cells);
    const changed = board.map((row) => row.map((cell): Cell => (cell === 0 ? 0 : cell === 1 ? -1 : 1)));
    for (const player of [1, -1] as const) {
      const opponent = player === 1 ? -1 : 1;
      expect(scoreBoard(changed, opponent, other)).toBe(scoreBoard(board, player, side));
    }
  }
});

test("turning and mirroring the board changes no score", () => {
  for (const [cells, mover] of POSITIONS) {
    const side: Player = mover === "X" ? 1 : -1;
    const board = boardOf(cells);
    const turned = [0, 1, 2].map((row) => [0, 1, 2].map((col) => board[2 - col]![row]!));
    const mirrored = board.map((row) => [...row].reverse());
    const score = scoreBoard(board, 1, side);
    // The sum of the features is made in another order.
    expect(scoreBoard(turned, 1, side)).toBeCloseTo(score, 12);
    expect(scoreBoard(mirrored, 1, side)).toBeCloseTo(score, 12);
  }
});

test("the best move keeps the value, and no move betters it", () => {
  let visited = 0;
  for (const [cells, mover] of POSITIONS) {
    if (hasWon(cells, "X") || hasWon(cells, "O") || !cells.includes(".")) continue;
    visited += 1;
    const side: Player = mover === "X" ? 1 : -1;
    const other: Player = side === 1 ? -1 : 1;
    const after = [...cells].flatMap((cell, square) =>
      cell === "." ? [verdictOf(boardOf(cells.slice(0, square) + mover + cells.slice(square + 1)), side, other)] : [],
    );
    expect(Math.max(...after.map(({ outcome }) => outcome))).toBe(verdictOf(boardOf(cells), side, side).outcome);
  }
  expect(visited).toBe(4520);
});

test("being to move is never worse than the other side being to move", () => {
  for (const cells of POSITIONS.keys()) {
    const board = boardOf(cells);
    for (const player of [1, -1] as const) {
      const other = player === 1 ? -1 : 1;
      expect(verdictOf(board, player, player).outcome).toBeGreaterThanOrEqual(verdictOf(board, player, other).outcome);
    }
  }
});

test("a quicker win has the higher score, and the bare tiers do not tell them apart", () => {
  // The top row can be completed; in the second, X takes the free corner and threatens twice.
  const inOne = boardOf("XX.OO....");
  const inThree = boardOf("X...O.O.X");
  expect(verdictOf(inOne, 1, 1).plies).toBe(1);
  expect(verdictOf(inThree, 1, 1)).toEqual({ outcome: 1, plies: 3 });

  expect(scoreBoard(inOne, 1, 1)).toBe(11);
  expect(scoreBoard(inThree, 1, 1)).toBeCloseTo(10 + 7 / 9);
  expect(scoreBoard(inThree, 1, 1, BARE)).toBe(11);
});

test("the features are the seeds', ours less theirs", () => {
  // X in the centre: four open lines of one (1.5 each) and the centre (1.5) = 7.5.
  expect(scoreBoard(boardOf("....X...."), 1, -1)).toBeCloseTo(0.5 + (0.5 * 7.5) / 15.5);
  // X in a corner: three lines and 0.75 = 5.25; on an edge: two lines and 0.25 = 3.25.
  expect(scoreBoard(boardOf("X........"), 1, -1)).toBeCloseTo(0.5 + (0.5 * 5.25) / 13.25);
  expect(scoreBoard(boardOf(".X......."), 1, -1)).toBeCloseTo(0.5 + (0.5 * 3.25) / 11.25);
  // X on squares 0 and 4, O on 2 and 8. X is alone on three lines (3-4-5, 1-4-7, 0-3-6): 3 x 1.5. O has two on 2-5-8
  // and is alone on 6-7-8: 4 + 1.5. Squares: X 1.5 + 0.75, O 0.75 + 0.75. Together 4.5 - 5.5 + 2.25 - 1.5 = -0.25.
  const score = scoreBoard(boardOf("X.O.X...O"), 1, 1);
  expect(score).toBeCloseTo(0.5 - (0.5 * 0.25) / 8.25);
});

test("a finished draw is open, not a forced loss", () => {
  const draw = boardOf("XOXXOOOXX");
  for (const player of [1, -1] as const) {
    expect(scoreBoard(draw, player, 1, BARE)).toBe(0.5);
    expect(scoreBoard(draw, player, -1)).toBeGreaterThan(0);
    expect(scoreBoard(draw, player, -1)).toBeLessThan(1);
  }
});

test("the tables are made once", () => {
  expect(solution()).toBe(solution());
});

test("a board of another shape is refused", () => {
  expect(() => scoreBoard([[0, 0, 0]], 1, 1)).toThrow(RangeError);
  expect(() => scoreBoard([[], [], []], 1, 1)).toThrow(RangeError);
});
