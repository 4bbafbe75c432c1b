import { expect, test } from "vitest";
import { type Board, EMPTY_BOARD, illegalReason } from "./board.ts";
import { correction, movePrompt, parseMove } from "./prompt.ts";
import { standInReply } from "./stand-in.ts";

const BOARD: Board = [
  [1, 0, 0],
  [0, -1, 0],
  [0, 0, 0],
];
const PROMPT = movePrompt({ board: BOARD, player: 1 });

test("the same prompt and seed give the same reply, another seed or prompt another", () => {
  const replies = new Set<string>();
  for (let seed = 0; seed < 50; seed += 1) {
    const reply = standInReply({ messages: PROMPT, seed });
    expect(standInReply({ messages: structuredClone(PROMPT), seed })).toBe(reply);
    replies.add(reply);
  }
  expect(replies.size).toBeGreaterThanOrEqual(7);
});

test.each([
  ["the empty board", EMPTY_BOARD, 9],
  ["a board with two pieces", BOARD, 7],
])("on %s each legal move is about as likely, and a few in a hundred replies are bad", (_, board, free) => {
  const counts = new Map<string, number>();
  let bad = 0;
  const total = 4000;
  for (let seed = 0; seed < total; seed += 1) {
    const { move } = parseMove(standInReply({ messages: movePrompt({ board, player: 1 }), seed }));
    if (!move || illegalReason(board, move) !== undefined) bad += 1;
    else counts.set(`${move.row}${move.col}`, (counts.get(`${move.row}${move.col}`) ?? 0) + 1);
  }

  expect(bad / total).toBeGreaterThan(0.03);
  expect(bad / total).toBeLessThan(0.07);
  expect(counts.size).toBe(free);
  for (const count of counts.values()) expect(count / total).toBeCloseTo(0.95 / free, 1);
});

test("bad replies are of every kind: taken, off the board, two moves, none", () => {
  const kinds = new Set<string>();
  for (let seed = 0; seed < 1000; seed += 1) {
    const parsed = parseMove(standInReply({ messages: PROMPT, seed }));
    const reason = parsed.move ? illegalReason(BOARD, parsed.move) : parsed.reason;
    if (reason) kinds.add(reason.replace(/row \d, column \d/, "").trim());
  }
  expect([...kinds].sort()).toEqual([
    "is not on the board",
    "is taken by O",
    "is taken by X",
    "the reply holds no move of the form <move><row>R</row><col>C</col></move>",
    "the reply holds several different moves",
  ]);
});

test("it answers a correction, also when the content comes in parts", () => {
  const ask = correction({ board: BOARD, player: 1 }, "row 1, column 1 is taken by X");
  const parts = [{ type: "text", text: String(ask.content) }];
  const reply = standInReply({ messages: [{ role: "user", content: parts }], seed: 3 });
  const { move } = parseMove(reply);
  // A legal one, on the board that the correction repeats.
  expect(move && illegalReason(BOARD, move)).toBeUndefined();
  expect(move).toEqual({ row: expect.any(Number), col: expect.any(Number) });
});

test("a prompt without a board, or with a full one, is an error", () => {
  expect(() => standInReply({ messages: [{ role: "user", content: "hello" }] })).toThrow(
    "no message of the prompt holds",
  );
  const full = {
    board: [
      [1, -1, 1],
      [1, -1, -1],
      [-1, 1, 1],
    ] as Board,
    player: 1 as const,
  };
  expect(() => standInReply({ messages: movePrompt(full) })).toThrow("full");
});
