import { expect, test } from "vitest";
import { isOver, legalMoves, sideToMove, symbolOf } from "./board.ts";
import { keepsValue, reachablePositions } from "./positions.ts";
import { printBoard } from "./prompt.ts";

const POSITIONS = reachablePositions();

test("there are 4,520 positions to move in, every one another, with the side to move told", () => {
  expect(POSITIONS).toHaveLength(4520);
  expect(new Set(POSITIONS.map(({ board }) => printBoard(board))).size).toBe(4520);
  for (const { board, player } of POSITIONS) {
    expect(isOver(board)).toBe(false);
    expect(player).toBe(sideToMove(board));
  }
  // OEIS A008907, without the boards on which the game is over: by pieces on the board.
  const by_pieces = Array.from({ length: 9 }, () => 0);
  for (const { board } of POSITIONS) by_pieces[9 - legalMoves(board).length]! += 1;
  expect(by_pieces).toEqual([1, 9, 72, 252, 756, 1140, 1372, 696, 222]);
});

test("a legal move at random keeps the value of 57.97 in 100 positions, and each has a move that does", () => {
  let kept = 0;
  for (const position of POSITIONS) {
    const moves = legalMoves(position.board);
    const keeping = moves.filter((move) => keepsValue(position, move)).length;
    expect(keeping, `${symbolOf(position.player)}\n${printBoard(position.board)}`).toBeGreaterThan(0);
    kept += keeping / moves.length;
  }
  expect((100 * kept) / POSITIONS.length).toBeCloseTo(57.97, 2);
});
