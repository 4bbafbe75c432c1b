import { expect, test } from "vitest";
import { EMPTY_BOARD, isOver, legalMoves, type MoveRequest, play, SQUARES, sideToMove } from "./board.ts";
import { countLines, type Plays } from "./evaluate-model-lines.ts";
import { playEveryGame } from "./every-game.ts";
import { codeOf } from "./solver.ts";

/** Some answers are squares that are taken, and some are none. */
const anything: Plays = ({ board }) => SQUARES[(codeOf(board) * 7919) % 11] ?? null;
const last: Plays = ({ board }) => legalMoves(board).at(-1) ?? null;

function asked(plays: Plays) {
  const requests: MoveRequest[] = [];
  const decide = async (request: MoveRequest) => {
    requests.push(request);
    // Answers come in another order than questions.
    for (let turn = codeOf(request.board) % 5; turn > 0; turn -= 1) await null;
    return { move: plays(request) };
  };
  return { requests, decide };
}

test.each([
  ["illegal moves and none", anything],
  ["always the last free square", last],
] as const)(
  "every line is counted, each position asked for once, in the same order each time: %s",
  async (_, plays) => {
    for (const side of [1, -1] as const) {
      const { requests, decide } = asked(plays);
      const result = await playEveryGame(EMPTY_BOARD, side, decide);

      expect(result).toEqual({
        trained_player: side === 1 ? "X" : "O",
        ...countLines(plays, side),
        positions: requests.length,
      });
      expect(new Set(requests.map(({ board }) => codeOf(board))).size).toBe(requests.length);
      expect(
        requests.every(({ board, player }) => player === side && sideToMove(board) === side && !isOver(board)),
      ).toBe(true);
      const again = asked(plays);
      await playEveryGame(EMPTY_BOARD, side, again.decide);
      expect(again.requests).toEqual(requests);
    }
  },
);

test("it may begin anywhere", async () => {
  const start = [
    [1, 1],
    [2, 2],
    [1, 3],
  ].reduce((board, [row = 0, col = 0]) => play(board, { row, col }, sideToMove(board)), EMPTY_BOARD);
  const { requests, decide } = asked(last);
  const result = await playEveryGame(start, -1, decide);

  expect(result).toMatchObject(countLines(last, -1, start));
  expect(requests[0]?.board).toEqual(start);
  // X wins at once by the first row in one of five lines: O leaves it open.
  expect(result.losses).toBeGreaterThan(0);
  expect(result.losses).toBeLessThan(countLines(last, -1).losses);
});
