import { expect, test } from "vitest";
import { seededRandom } from "../../src/lib/random.ts";
import { EMPTY_BOARD, isOver, type Move } from "./board.ts";
import { type Decide, playGame } from "./game.ts";
import { gameSetup } from "./game-setup.ts";

/** Plays the given squares in turn, whoever asks. */
function script(...squares: [number, number][]): Decide {
  const left = squares.map(([row, col]): Move => ({ row, col }));
  return async () => ({ move: left.shift() ?? null });
}

test("a game is played to its end and told from the trained player's side", async () => {
  const decide = () => script([1, 1], [2, 1], [1, 2], [2, 2], [1, 3]);

  const one = decide();
  const asX = await playGame(EMPTY_BOARD, 1, { X: one, O: one });
  expect(asX).toEqual({
    outcome: "win",
    trained_player: "X",
    moves: [
      { player: "X", row: 1, col: 1 },
      { player: "O", row: 2, col: 1 },
      { player: "X", row: 1, col: 2 },
      { player: "O", row: 2, col: 2 },
      { player: "X", row: 1, col: 3 },
    ],
    length: 5,
    final_board: [
      [1, 1, 1],
      [-1, -1, 0],
      [0, 0, 0],
    ],
  });

  const two = decide();
  expect(await playGame(EMPTY_BOARD, -1, { X: two, O: two })).toMatchObject({ outcome: "loss", trained_player: "O" });
});

test("a full board is a draw", async () => {
  const decide = script([1, 1], [1, 2], [1, 3], [2, 2], [2, 1], [2, 3], [3, 2], [3, 1], [3, 3]);
  expect(await playGame(EMPTY_BOARD, 1, { X: decide, O: decide })).toMatchObject({ outcome: "draw", length: 9 });
});

test.each([
  ["a taken square", { move: { row: 1, col: 1 } }, "row 1, column 1 is taken by X"],
  ["no move", { move: null, reason: "the reply holds no move" }, "the reply holds no move"],
  ["no move and no reason", { move: null }, "no move was chosen"],
])("%s loses the game by forfeit, and is not among the moves", async (_, choice, reason) => {
  const players = { X: script([1, 1], [1, 2]), O: async () => choice };

  expect(await playGame(EMPTY_BOARD, -1, players)).toMatchObject({
    outcome: "loss",
    forfeit_by: "O",
    reason,
    length: 1,
    moves: [{ player: "X", row: 1, col: 1 }],
  });
  expect(await playGame(EMPTY_BOARD, 1, { ...players, X: script([1, 1]) })).toMatchObject({
    outcome: "win",
    forfeit_by: "O",
  });
});

test("after an opening the right side goes on, and only what was played counts as moves", async () => {
  const row = { trained_player: "O", opening: [[1, 1] as const, [2, 1], [1, 2], [2, 2]] };
  const { board, trained } = gameSetup("any text", { id: "a", row }, Math.random);

  expect(trained).toBe(-1);
  expect(await playGame(board, trained, { X: script([3, 3]), O: script([2, 3]) })).toMatchObject({
    outcome: "win",
    length: 2,
    moves: [{ player: "X" }, { player: "O" }],
  });
});

test("random plies after an opening leave the game open, and are the same for the same numbers", () => {
  const random = seededRandom(3);
  const starts = new Set<string>();
  const plies = new Map<number, number>();
  for (let game = 0; game < 300; game += 1) {
    const row = { trained_player: "X", opening: [[2, 2]], random_plies: game % 7 };
    const { board } = gameSetup("", { id: "a", row }, random);
    expect(board[1]?.[1]).toBe(1);
    const missing = 1 + row.random_plies - board.flat().filter((square) => square !== 0).length;
    plies.set(missing, (plies.get(missing) ?? 0) + 1);
    expect(isOver(board)).toBe(false);
    starts.add(JSON.stringify(board));
  }
  expect(starts.size).toBeGreaterThan(150);
  // Of seven pieces, every next one may end the game: that came once.
  expect(Object.fromEntries(plies)).toEqual({ 0: 299, 1: 1 });
  const row = { trained_player: "O", random_plies: 5 };
  const again = () => gameSetup("", { id: "a", row }, seededRandom(9));
  expect(again()).toEqual(again());
});

test("where a workflow is given only an input, that says which game", () => {
  const none = { id: "input", row: {} };
  expect(gameSetup("O", none, Math.random)).toMatchObject({ trained: -1, board: EMPTY_BOARD });
  expect(gameSetup({ trained_player: "X", opening: [[2, 2]] }, none, Math.random).board[1]?.[1]).toBe(1);
});

test.each([
  ["an unknown symbol", { trained_player: "Z" }, "`trained_player`"],
  ["no symbol", { question: "Play." }, "`trained_player`"],
  ["a square off the board", { trained_player: "X", opening: [[1, 4]] }, "`opening[0]`: row 1, column 4 is not on"],
  [
    "a square taken twice",
    {
      trained_player: "X",
      opening: [
        [1, 1],
        [1, 1],
      ],
    },
    "`opening[1]`: row 1, column 1 is taken by X",
  ],
  ["too many random plies", { trained_player: "X", random_plies: 7 }, "`random_plies`"],
  ["half a square", { trained_player: "X", opening: [[1, 1], [2]] }, "`opening[1]"],
  ["words for squares", { trained_player: "X", opening: "centre" }, "`opening`"],
  [
    "an opening that wins",
    {
      trained_player: "X",
      opening: [
        [1, 1],
        [2, 1],
        [1, 2],
        [2, 2],
        [1, 3],
      ],
    },
    "`opening`: it ends the game",
  ],
  [
    "moves after the end",
    {
      trained_player: "X",
      opening: [
        [1, 1],
        [2, 1],
        [1, 2],
        [2, 2],
        [1, 3],
        [3, 3],
      ],
    },
    "`opening[5]`: the game is over",
  ],
])("a row with %s is refused, naming example and field", (_, row, field) => {
  expect(() => gameSetup("Play.", { id: "g7", row }, Math.random)).toThrow(`example "g7": ${field}`);
});
