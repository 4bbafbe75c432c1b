import { expect, test } from "vitest";
import { type Board, EMPTY_BOARD, illegalReason, isOver, legalMoves, play, sideToMove, winnerOf } from "./board.ts";
import { correction, formatMove, movePrompt, parseMove, printBoard, readBoard } from "./prompt.ts";

const BOARD: Board = [
  [1, 0, -1],
  [0, 1, 0],
  [0, 0, -1],
];

test("a board is printed as the seeds print it", () => {
  expect(printBoard(EMPTY_BOARD)).toBe("  1 2 3\n1 _ _ _\n2 _ _ _\n3 _ _ _");
  expect(printBoard(BOARD)).toBe("  1 2 3\n1 X _ O\n2 _ X _\n3 _ _ O");
});

test("the prompt names the side and shows the board, each row ended by a newline, and nothing else", () => {
  expect(movePrompt({ board: BOARD, player: -1 })).toEqual([
    { role: "system", content: "You play O in tic-tac-toe. Reply with one move as XML." },
    { role: "user", content: "  1 2 3\n1 X _ O\n2 _ X _\n3 _ _ O\n" },
  ]);
  expect(movePrompt({ board: BOARD, player: 1 }, "Be {symbol}, {symbol}!")[0]?.content).toBe("Be X, X!");
});

test("a printed board is read back, also from inside other words, and the last one counts", () => {
  expect(readBoard(printBoard(BOARD))).toEqual(BOARD);
  expect(readBoard(`${printBoard(EMPTY_BOARD)}\nthen\n${printBoard(BOARD)}\n`)).toEqual(BOARD);
  expect(readBoard("no board here\n1 X _ O")).toBeUndefined();
});

test("a correction says what was wrong and can be answered by itself", () => {
  const { role, content } = correction({ board: BOARD, player: 1 }, "row 1, column 1 is taken by X");
  expect(role).toBe("user");
  expect(content).toContain("row 1, column 1 is taken by X");
  expect(content).toContain("You play X.");
  expect(readBoard(String(content))).toEqual(BOARD);
});

test("a move that was written is read back", () => {
  expect(formatMove({ row: 2, col: 3 })).toBe("<move>\n  <row>2</row>\n  <col>3</col>\n</move>");
  expect(parseMove(formatMove({ row: 2, col: 3 }))).toEqual({ move: { row: 2, col: 3 } });
});

test.each([
  ["the compact form", "<move><row>2</row><col>1</col></move>"],
  ["white space inside the tags", "<move> <row> 2 </row>\n\n<col>\t1\n</col> </move>"],
  ["words around it", "I will take the edge.\n<move><row>2</row><col>1</col></move> Your turn!"],
  ["the same move said twice", "<move><row>2</row><col>1</col></move> yes: <MOVE><row>2</row><col>1</col></MOVE>"],
])("a move is read from %s", (_, text) => {
  expect(parseMove(text)).toEqual({ move: { row: 2, col: 1 } });
});

test.each([
  ["nothing", "", "no move"],
  ["prose", "row 2, column 1", "no move"],
  ["a cut-off reply", "<move>\n  <row>2</row>\n  <col>1", "no move"],
  ["columns before rows", "<move><col>1</col><row>2</row></move>", "no move"],
  ["words for numbers", "<move><row>two</row><col>1</col></move>", "no move"],
  ["half a square", "<move><row>1.5</row><col>1</col></move>", "no move"],
  ["two moves", "<move><row>2</row><col>1</col></move><move><row>2</row><col>2</col></move>", "several different"],
])("no move is read from %s", (_, text, reason) => {
  const parsed = parseMove(text);
  expect(parsed.move).toBeUndefined();
  expect(parsed.reason).toContain(reason);
});

test("a move off the board is read, and is illegal", () => {
  for (const [row, col] of [
    [0, 1],
    [1, 4],
    [-1, 2],
    [99, 99],
  ] as const) {
    const { move } = parseMove(`<move><row>${row}</row><col>${col}</col></move>`);
    expect(move).toEqual({ row, col });
    expect(illegalReason(EMPTY_BOARD, { row, col })).toBe(`row ${row}, column ${col} is not on the board`);
  }
});

test("an occupied square is illegal, an empty one is not", () => {
  expect(illegalReason(BOARD, { row: 1, col: 3 })).toBe("row 1, column 3 is taken by O");
  expect(illegalReason(BOARD, { row: 1, col: 2 })).toBeUndefined();
  expect(legalMoves(BOARD)).toEqual([
    { row: 1, col: 2 },
    { row: 2, col: 1 },
    { row: 2, col: 3 },
    { row: 3, col: 1 },
    { row: 3, col: 2 },
  ]);
});

test("X begins, sides take turns, and a move changes no board but its own", () => {
  expect(sideToMove(EMPTY_BOARD)).toBe(1);
  const after = play(EMPTY_BOARD, { row: 3, col: 2 }, 1);
  expect(after).toEqual([
    [0, 0, 0],
    [0, 0, 0],
    [0, 1, 0],
  ]);
  expect(sideToMove(after)).toBe(-1);
  expect(legalMoves(EMPTY_BOARD)).toHaveLength(9);
});

test.each([
  ["a row", "XXX/OO_/___", 1],
  ["a column", "XO_/XO_/_OX", -1],
  ["a falling diagonal", "XO_/OX_/__X", 1],
  ["a rising diagonal", "X_O/XO_/O_X", -1],
  ["nobody, the board full", "XOX/XOO/OXX", 0],
])("%s ends the game", (_, printed, winner) => {
  const board = boardOf(printed);
  expect(winnerOf(board)).toBe(winner);
  expect(isOver(board)).toBe(true);
});

test("a game goes on while nobody has three and a square is free", () => {
  expect(isOver(boardOf("XOX/XO_/OXX".replace("OXX", "_XO")))).toBe(false);
});

function boardOf(printed: string): Board {
  return printed.split("/").map((row) => [...row].map((mark) => (mark === "X" ? 1 : mark === "O" ? -1 : 0)));
}
