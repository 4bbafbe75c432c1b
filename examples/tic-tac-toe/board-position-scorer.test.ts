import { expect, test } from "vitest";
import { type Board, EMPTY_BOARD } from "./board.ts";
import { boardPositionScorer, scoreMove } from "./board-position-scorer.ts";
import { formatMove } from "./prompt.ts";

// X threatens the top row.
const BOARD: Board = [
  [1, 1, 0],
  [-1, 0, 0],
  [-1, 0, 0],
];
const OPTIONS = { heuristic: true };

function score(row: number, col: number, player: 1 | -1 = 1, board = BOARD) {
  return scoreMove({ board, player }, { value: { row, col }, reason: undefined }, OPTIONS);
}

test("a winning move is in the highest tier, and one that lets the other win is a forced loss", () => {
  expect(score(1, 3)).toEqual({ score: 16, reason: "wins at once" });

  // O to move: it must stop the top row.
  const forO: Board = [
    [1, 1, 0],
    [0, -1, 0],
    [0, 0, 0],
  ];
  expect(score(3, 3, -1, forO)).toEqual({ score: 0, reason: "a forced loss, plies to the end: 1" });
  expect(score(1, 3, -1, forO)).toMatchObject({ reason: "nothing is forced" });
});

test("a fork is a forced win, and comes in the tier of wins", () => {
  const board: Board = [
    [1, 0, 0],
    [0, -1, 0],
    [-1, 0, 1],
  ];
  const fork = score(1, 3, 1, board);
  expect(fork).toEqual({ score: 10 + 8 / 9, reason: "a forced win, plies to the end: 2" });
});

test.each([
  ["a taken square", { row: 1, col: 1 }, undefined, "row 1, column 1 is taken by X"],
  ["a square off the board", { row: 4, col: 1 }, undefined, "row 4, column 1 is not on the board"],
  ["no move", undefined, "the reply holds several different moves", "the reply holds several different moves"],
  ["no move and no reason", undefined, undefined, "the reply holds no move"],
  ["a value that is no move", { row: "1" }, undefined, "the reply holds no move"],
])("%s has the lowest score of all, with a reason", (_, value, given, reason) => {
  expect(scoreMove({ board: BOARD, player: 1 }, { value, reason: given }, OPTIONS)).toEqual({ score: -1, reason });
});

test("an illegal move is below a forced loss, so that the two make a pair", () => {
  const lost: Board = [
    [1, 1, 0],
    [-1, 0, 0],
    [0, 0, 0],
  ];
  expect(score(1, 1, -1, lost).score).toBeLessThan(score(3, 3, -1, lost).score ?? Number.NaN);
});

test("heuristic is on unless told", () => {
  expect(boardPositionScorer.options.parse({})).toEqual({ heuristic: true, exact_form: false });
  expect(scoreMove({ board: BOARD, player: 1 }, { value: { row: 1, col: 3 }, reason: undefined }, OPTIONS).score).toBe(
    16,
  );
  const open: Board = [
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ];
  const centre = { value: { row: 2, col: 2 }, reason: undefined };
  expect(scoreMove({ board: open, player: 1 }, centre, { heuristic: false }).score).toBe(0.5);
  expect(scoreMove({ board: open, player: 1 }, centre, OPTIONS).score).toBeGreaterThan(0.7);
});

test("with exact_form a good move in other words is malformed, and only white space around the form is not looked at", () => {
  const ask = { board: EMPTY_BOARD, player: 1 } as const;
  const move = { row: 2, col: 2 };
  const score = (text: string, exact_form: boolean) =>
    scoreMove(ask, { value: move, reason: undefined, text }, { heuristic: false, exact_form }).score;

  expect(score(`${formatMove(move)}\n`, true)).toBe(0.5);
  for (const text of [`Here: ${formatMove(move)}`, formatMove(move).replaceAll("\n", " "), ""]) {
    expect([score(text, true), score(text, false)]).toEqual([-1, 0.5]);
  }
});
