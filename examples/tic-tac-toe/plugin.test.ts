import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { createRegistry, type Kind } from "../../src/registry/registry.ts";
import { type Board, isOver, sideToMove, symbolOf } from "./board.ts";
import { gameSetup } from "./game-setup.ts";
import plugin from "./plugin.ts";
import { verdictOf } from "./solver.ts";

function read(file: string): string {
  return readFileSync(new URL(file, import.meta.url), "utf8");
}

interface Row extends Record<string, unknown> {
  id: string;
  question: string;
  answer: string;
  trained_player: "X" | "O";
  opening: number[][];
}
const ROWS: Row[] = JSON.parse(read("data/data.json"));

test("the plugin registers everything that the seeds' configuration names", async () => {
  const registry = createRegistry();
  await plugin.register(registry.from("plugin.ts"));

  expect(registry.list().map(({ kind, type }) => `${kind} ${type}`)).toEqual([
    "workflow dpo_tic_tac_toe",
    "function choose_move",
    "function ttc_move_selector",
    "search multi_candidate_move_search",
    "scorer board_position_scorer",
    "evaluator dpo_game_outcome",
  ]);
  for (const { component } of registry.list()) expect(component.description).toMatch(/\w/);
});

test("the options in config.yml are the ones that these components take, and their references are there", async () => {
  const registry = createRegistry();
  await plugin.register(registry);
  const config = parse(read("configs/config.yml"));
  const own: [Kind, Record<string, unknown>][] = [
    ["workflow", config.workflow],
    ["function", config.functions.trained_choose_move],
    ["function", config.functions.random_choose_move],
    ["function", config.functions.trained_ttc_move_selector],
    ["function", config.functions.random_ttc_move_selector],
    ["search", config.ttc_strategies.trained_move_searcher],
    ["search", config.ttc_strategies.random_move_searcher],
    ["scorer", config.ttc_strategies.move_scorer],
    ["evaluator", config.eval.evaluators.game_outcome],
  ];
  const names = ["llms", "functions", "ttc_strategies"].flatMap((section) => Object.keys(config[section]));

  for (const [kind, { _type, ...options }] of own) {
    const parsed = registry.find(kind, String(_type))?.component.options.safeParse(options);
    expect(parsed?.success, `${kind} ${_type}`).toBe(true);
    for (const value of Object.values(options)) if (typeof value === "string") expect(names).toContain(value);
  }
});

test("after training, the model plays by itself: one candidate, no second try", () => {
  const config = parse(read("configs/config_after_training.yml"));
  expect(config.base).toBe("config.yml");
  expect(config.ttc_strategies.trained_move_searcher.num_candidates).toBe(1);
  expect(config.ttc_strategies.random_move_searcher.num_candidates).toBe(1);
  expect(config.functions.trained_choose_move.max_retries).toBe(0);
});

test("the data hold 48 games, half for each side, every one a legal start of its own", () => {
  expect(ROWS).toHaveLength(48);
  expect(new Set(ROWS.map(({ id }) => id)).size).toBe(48);
  expect(new Set(ROWS.map(({ question }) => question)).size).toBe(48);
  expect(ROWS.filter(({ trained_player }) => trained_player === "X")).toHaveLength(24);

  const starts = new Set<string>();
  for (const row of ROWS) {
    const { board, trained } = gameSetup(row.question, { id: row.id, row }, Math.random);
    expect(isOver(board)).toBe(false);
    expect(symbolOf(trained)).toBe(row.trained_player);
    starts.add(`${row.trained_player} ${JSON.stringify(board)}`);
  }
  expect(starts.size).toBe(48);
});

test("no two starts are the same board turned or mirrored, but for the empty one", () => {
  const boards = ROWS.map((row) => canonical(gameSetup("", { id: row.id, row }, Math.random).board));
  expect(new Set(boards).size).toBe(47);
});

test("each answer is how the game ends when both play perfectly", () => {
  const outcomes = { 1: "win", 0: "draw", [-1]: "loss" } as const;
  for (const row of ROWS) {
    const { board, trained } = gameSetup("", { id: row.id, row }, Math.random);
    expect(row.answer, row.id).toBe(outcomes[verdictOf(board, trained, sideToMove(board)).outcome]);
  }
  expect(new Set(ROWS.map(({ answer }) => answer)).size).toBe(3);
});

/** The smallest of the eight turned and mirrored boards, as text. */
function canonical(board: Board): string {
  const seen: string[] = [];
  let turned: Board = board;
  for (let quarter = 0; quarter < 4; quarter += 1) {
    const before = turned;
    turned = [0, 1, 2].map((row) => [0, 1, 2].map((col) => before[2 - col]![row]!));
    seen.push(JSON.stringify(turned), JSON.stringify(turned.map((row) => [...row].reverse())));
  }
  return seen.sort()[0]!;
}
