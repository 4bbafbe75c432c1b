import type { IntermediateStep } from "pairwright";
import { expect, test } from "vitest";
import { EMPTY_BOARD, type Move, type PlayerSymbol } from "./board.ts";
import type { EveryGameResult } from "./every-game.ts";
import type { GameResult } from "./game.ts";
import { dpoGameOutcome, evaluateGame } from "./game-outcome.ts";

function run(output: unknown, steps: IntermediateStep[] = []) {
  return { example_id: "g1", status: "completed" as const, output, steps };
}

function result(more: Partial<GameResult>): GameResult {
  return { outcome: "win", trained_player: "X", moves: [], length: 0, final_board: [], ...more };
}

function reply(player_symbol: PlayerSymbol, move: Move | null, output: string | null = "…"): IntermediateStep {
  return {
    parent_id: "root",
    function_ancestry: { function_id: "f", function_name: "f", parent_id: null, parent_name: null },
    payload: {
      event_type: "CUSTOM_END",
      event_timestamp: 0,
      UUID: "u",
      data: { output },
      metadata: { player_symbol, board_state_before: EMPTY_BOARD, move },
    },
  };
}

test.each([
  ["win", 1, { win_rate: 1, loss_rate: 0, draw_rate: 0 }],
  ["draw", 0.5, { win_rate: 0, loss_rate: 0, draw_rate: 1 }],
  ["loss", 0, { win_rate: 0, loss_rate: 1, draw_rate: 0 }],
] as const)("a %s scores %s", (outcome, score, rates) => {
  const evaluation = evaluateGame(run(result({ outcome, length: 7 })));
  expect(evaluation.score).toBe(score);
  expect(evaluation.metrics).toMatchObject({ ...rates, average_game_length: 7, forfeit_rate: 0, legal_rate: null });
});

test("every rate is a share, whose interval stays between 0 and 1", () => {
  const { shares } = dpoGameOutcome.build({ options: {} } as never);
  const { metrics = {} } = evaluateGame(run(result({})));
  expect([...(shares ?? []), "average_game_length"].sort()).toEqual(
    ["score", "unbeaten", ...Object.keys(metrics)].sort(),
  );
});

const played = (moves: [PlayerSymbol, number, number][], more: Partial<GameResult> = {}) => {
  const board = [0, 1, 2].map(() => [0, 0, 0]);
  for (const [player, row, col] of moves) board[row - 1]![col - 1] = player === "X" ? 1 : -1;
  for (const [row, col, cell] of (more as { before?: [number, number, number][] }).before ?? [])
    board[row - 1]![col - 1] = cell;
  const { before: _, ...result_ } = more as Partial<GameResult> & { before?: unknown };
  const safe = evaluateGame(
    run(result({ ...result_, moves: moves.map(([player, row, col]) => ({ player, row, col })), final_board: board })),
  );
  return safe.metrics?.safe_rate;
};

test("a game is safe when no move of the trained player made a position lost, whoever won", () => {
  // After X in the centre an edge loses, though X did not see it here and O won.
  const edge: [PlayerSymbol, number, number][] = [
    ["X", 2, 2],
    ["O", 1, 2],
    ["X", 3, 2],
    ["O", 1, 1],
    ["X", 2, 1],
    ["O", 1, 3],
  ];
  expect(played(edge, { outcome: "win", trained_player: "O" })).toBe(0);
  const corner: [PlayerSymbol, number, number][] = [
    ["X", 2, 2],
    ["O", 1, 1],
    ["X", 3, 3],
    ["O", 1, 3],
    ["X", 1, 2],
    ["O", 3, 2],
  ];
  expect(played(corner, { outcome: "draw", trained_player: "O" })).toBe(1);
  // The same two replies of O after an opening that is no part of the moves.
  expect(played(edge.slice(1), { trained_player: "O", before: [[2, 2, 1]] } as never)).toBe(0);
  expect(played(corner.slice(1), { trained_player: "O", before: [[2, 2, 1]] } as never)).toBe(1);
  // What was lost before is lost by nobody's move.
  expect(
    played(edge.slice(2), {
      trained_player: "O",
      before: [
        [2, 2, 1],
        [1, 2, -1],
      ],
    } as never),
  ).toBe(1);
  expect(played(corner, { outcome: "loss", trained_player: "O", forfeit_by: "O" })).toBe(0);
});

test("a forfeit counts for the trained player only when it was the trained player's", () => {
  const own = evaluateGame(run(result({ outcome: "loss", forfeit_by: "X", reason: "no move" })));
  expect(own.metrics).toMatchObject({ forfeit_rate: 1, loss_rate: 1 });
  expect(own.reasoning).toMatchObject({ forfeit_by: "X", reason: "no move" });

  const others = evaluateGame(run(result({ outcome: "win", forfeit_by: "O" })));
  expect(others.metrics).toMatchObject({ forfeit_rate: 0, win_rate: 1 });
});

test("the legal rate is of the trained player's replies; a failed call is none", () => {
  const steps = [
    reply("X", { row: 1, col: 1 }),
    reply("X", null),
    reply("X", { row: 1, col: 4 }),
    reply("X", { row: 2, col: 2 }),
    reply("X", null, null),
    reply("O", null),
  ];
  expect(evaluateGame(run(result({}), steps)).metrics).toMatchObject({ legal_rate: 0.5 });
});

test("a game that failed is not scored, and something else than a game is an error", () => {
  expect(evaluateGame({ ...run(null), status: "failed" }).score).toBeNull();
  expect(() => evaluateGame(run("a poem"))).toThrow('example "g1": the output is not the result of a game');
});

test("all games of a side at once: what a random opponent would score, and whether anybody beats it", () => {
  const every: EveryGameResult = {
    ...{ trained_player: "O", lines: 10, wins: 6, draws: 2, losses: 2, forfeits: 1, positions: 5 },
    against_random: { wins: 0.75, draws: 0.125, losses: 0.125 },
  };
  expect(evaluateGame(run(every))).toMatchObject({
    score: 0.8125,
    reasoning: { trained_player: "O", lines: 10, losses: 2 },
    metrics: { losing_lines: 2, unbeaten: 0 },
  });
  expect(evaluateGame(run({ ...every, losses: 0, forfeits: 0 })).metrics).toEqual({ losing_lines: 0, unbeaten: 1 });
});
