import { expect, test } from "vitest";
import { illegalReason, legalMoves, SQUARES } from "./board.ts";
import { chanceFigures, moveFigures } from "./evaluate-model-report.ts";
import { keepsValue, reachablePositions } from "./positions.ts";

const POSITIONS = reachablePositions();

test("every legal move alike keeps the value as often as a player at random does", () => {
  const chances = POSITIONS.map(({ board }) => {
    const { length } = legalMoves(board);
    return SQUARES.map((square) => (illegalReason(board, square) === undefined ? 0.9 / length : 0));
  });
  const { well_formed, legal, keeps_value } = chanceFigures(POSITIONS, chances);

  expect(well_formed).toBeCloseTo(0.9, 12);
  expect(legal).toBeCloseTo(0.9, 12);
  expect(keeps_value / 0.9).toBeCloseTo(0.5797, 4);
});

test("a square that is taken is well-formed and not legal, no move is neither, a perfect one is all", () => {
  const perfect = POSITIONS.map((position) => legalMoves(position.board).find((move) => keepsValue(position, move))!);
  expect(moveFigures(POSITIONS, perfect)).toEqual({ well_formed: 1, legal: 1, keeps_value: 1 });
  expect(moveFigures(POSITIONS, [])).toEqual({ well_formed: 0, legal: 0, keeps_value: 0 });

  const taken = POSITIONS.map(({ board }) => SQUARES.find((square) => illegalReason(board, square)) ?? null);
  // All but the empty board have a taken square.
  expect(moveFigures(POSITIONS, taken)).toEqual({ well_formed: 4519 / 4520, legal: 0, keeps_value: 0 });
  const losing = POSITIONS.map(
    (position) => legalMoves(position.board).find((move) => !keepsValue(position, move)) ?? null,
  );
  expect(moveFigures(POSITIONS, losing).keeps_value).toBe(0);
});
