import { expect, test } from "vitest";
import { legalMoves, type MoveRequest } from "./board.ts";
import { againstPerfect, type DemoFigures, demoTable } from "./demo-figures.ts";
import { keepsValue } from "./positions.ts";

const perfect = (request: MoveRequest) => legalMoves(request.board).find((move) => keepsValue(request, move)) ?? null;

test("a perfect player draws against a perfect one, and one that makes no move loses every game", () => {
  for (const side of [1, -1] as const) {
    expect(againstPerfect(perfect, side)).toEqual({ win_rate: 0, draw_rate: expect.closeTo(1, 12), loss_rate: 0 });
    expect(againstPerfect(() => null, side).loss_rate).toBeCloseTo(1, 12);
  }
});

test("a player that takes the first free square loses some games to a perfect one, and wins none", () => {
  const { win_rate, draw_rate, loss_rate } = againstPerfect(({ board }) => legalMoves(board)[0] ?? null, -1);

  expect(win_rate).toBe(0);
  expect(loss_rate).toBeGreaterThan(0.5);
  expect(win_rate + draw_rate + loss_rate).toBeCloseTo(1, 12);
});

test("the table shows both models side by side", () => {
  const outcomes = { win_rate: 0.5, draw_rate: 0.25, loss_rate: 0.25 };
  const rates = { well_formed_rate: 1, legal_rate: 0.99, best_move_rate: 0.5797 };
  const before: DemoFigures = {
    ...outcomes,
    against_perfect: outcomes,
    ...rates,
    ...{ losing_lines: { X: 3, O: 4 }, lines: { X: 70, O: 400 }, n: 4520 },
  };
  const lines = demoTable(before, { ...before, loss_rate: 0 }).split("\n");

  expect(lines).toHaveLength(12);
  expect(lines[3]).toMatch(/^ {4}lost +25\.00 % +0\.00 %$/);
  expect(lines.at(-1)).toMatch(/as O +4 of 400 +4 of 400$/);
});
