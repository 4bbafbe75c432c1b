import { readFileSync } from "node:fs";
import type { BuildArguments, ChatModel, ChatOptions, Completion, Message, RunRecord } from "pairwright";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { PairwrightError } from "../../src/lib/errors.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { createRegistry, type Kind } from "../../src/registry/registry.ts";
import { bestOfNSelection } from "../../src/ttc/select/best-of-n-selection.ts";
import { instrumentFunction, instrumentModel } from "../../src/workflow/instrument.ts";
import { runExample } from "../../src/workflow/run-example.ts";
import { legalMoves, sideToMove } from "./board.ts";
import { countLines } from "./evaluate-model-lines.ts";
import type { EveryGameResult } from "./every-game.ts";
import type { GameResult } from "./game.ts";
import { evaluateGame } from "./game-outcome.ts";
import plugin from "./plugin.ts";
import { formatMove, readBoard } from "./prompt.ts";
import { standInReply } from "./stand-in.ts";

type Reply = (messages: readonly Message[], options?: ChatOptions) => string;

const CONFIG = parse(readFileSync(new URL("configs/config.yml", import.meta.url), "utf8"));

/** Plays one game through the real `choose`, with the components of config.yml and a model that answers by `reply`. */
async function playExample(
  row: Record<string, unknown>,
  reply: Reply,
  more: { policy_only?: boolean; seed?: number } = {},
) {
  const registry = createRegistry();
  await plugin.register(registry);
  registry.selector("best_of_n_selection", bestOfNSelection);

  const model: ChatModel = {
    name: "training_llm",
    model_name: "tiny",
    async chat(messages, options): Promise<Completion> {
      const choices = (options?.seeds ?? [options?.seed]).map((seed) => {
        const text = reply(messages, { ...options, seed });
        const message = { role: "assistant" as const, content: text };
        return { message, text, finish_reason: "stop", refusal: false };
      });
      const [choice] = choices;
      const usage = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8, llm_calls: 1 };
      return { ...choice!, choices, model: "tiny", usage, cached: false };
    },
  };

  function build(kind: Kind, { _type, ...options }: Record<string, unknown>, name: string): unknown {
    const component = registry.find(kind, String(_type))?.component;
    if (!component) throw new Error(`${kind} ${_type} is not registered`);
    const strategy = (kind: Kind) => (name: string) => build(kind, CONFIG.ttc_strategies[name], name);
    return component.build({
      options: component.options.parse(options),
      name,
      llm: () => instrumentModel(model),
      function: (name: string) =>
        instrumentFunction(
          name,
          build("function", CONFIG.functions[name], name) as Parameters<typeof instrumentFunction>[1],
        ),
      search: strategy("search"),
      scorer: strategy("scorer"),
      selector: strategy("selector"),
      log: silentLogger,
    } as unknown as BuildArguments<Record<string, unknown>>);
  }

  return runExample(
    { id: String(row.id), index: 0, input: row.question, row },
    {
      workflow: build("workflow", CONFIG.workflow, "workflow") as Parameters<typeof runExample>[1]["workflow"],
      workflow_name: "dpo_tic_tac_toe",
      rep: 0,
      run_index: 0,
      seed: 0,
      policy_only: false,
      signal: new AbortController().signal,
      log: silentLogger,
      now: () => 0,
      ...more,
    },
  );
}

interface CandidateStep {
  data: {
    turn_id: string;
    turn_index: number;
    candidate_index: number;
    input: Message[];
    output: string;
    score: number;
  };
  metadata: Record<string, unknown>;
}

function candidatesOf(run: RunRecord): CandidateStep[] {
  return run.steps
    .map(({ payload }) => payload)
    .filter(
      ({ event_type, name }) => event_type === "CUSTOM_END" && name === "dpo_candidate_move",
    ) as unknown as CandidateStep[];
}

const FROM_EMPTY = { id: "x-empty", question: "Play X from the empty board.", trained_player: "X", opening: [] };
const random: Reply = (messages, options) => standInReply({ messages, seed: options?.seed });

test("a game is played, and every candidate of every turn of both players is recorded", async () => {
  const run = await playExample(FROM_EMPTY, random);
  const game = run.output as GameResult;
  const candidates = candidatesOf(run);

  expect(run).toMatchObject({ status: "completed" });
  expect(new Set(candidates.map(({ data }) => data.turn_index)).size).toBe(game.length);
  expect(candidates.length).toBeGreaterThanOrEqual(3 * game.length);
  expect(candidates.filter(({ metadata }) => metadata.is_selected)).toHaveLength(game.length);
  expect(evaluateGame(run).score).toBe({ win: 1, draw: 0.5, loss: 0 }[game.outcome]);
});

test("every candidate carries the keys of the seeds' intermediate step", async () => {
  const run = await playExample(FROM_EMPTY, random);
  const [first] = candidatesOf(run);

  expect(first?.metadata).toMatchObject({
    turn_id: first?.data.turn_id,
    turn_index: 0,
    candidate_index: 0,
    board_state_before: [
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ],
    prompt: "  1 2 3\n1 _ _ _\n2 _ _ _\n3 _ _ _",
    move: { row: expect.any(Number), col: expect.any(Number) },
    score: expect.any(Number),
    is_selected: expect.any(Boolean),
    raw_llm_response: first?.data.output,
    player_symbol: "X",
    player_value: 1,
  });
  for (const { metadata, data } of candidatesOf(run)) {
    expect(metadata).toMatchObject({ turn_id: data.turn_id, turn_index: data.turn_index, score: data.score });
    expect(metadata.candidate_index).toBe(data.candidate_index);
    expect(metadata.player_symbol).toBe(metadata.player_value === 1 ? "X" : "O");
  }
});

test("the prompt is what the player saw before it answered: its side, the board, no answer", async () => {
  const run = await playExample({ ...FROM_EMPTY, id: "o", trained_player: "O" }, random);
  let visited = 0;
  for (const { data, metadata } of candidatesOf(run)) {
    const [system, user] = data.input;
    if (data.input.length > 2) continue;
    visited += 1;
    expect(system?.content).toBe(`You play ${metadata.player_symbol} in tic-tac-toe. Reply with one move as XML.`);
    expect(user?.content).toBe(`${metadata.prompt}\n`);
    expect(readBoard(String(user?.content))).toEqual(metadata.board_state_before);
    expect(JSON.stringify(data.input)).not.toContain("<move>");
  }
  expect(visited).toBeGreaterThanOrEqual(15);
});

test("the trained player's candidates are the model's, the random opponent's are nobody's", async () => {
  const run = await playExample(FROM_EMPTY, random);
  for (const { metadata } of candidatesOf(run)) {
    expect(metadata.model).toBe(metadata.player_symbol === "X" ? "tiny" : null);
  }
});

test("an illegal reply is a candidate below all others, its retry has the conversation as its prompt", async () => {
  // Whatever stands on the first square, the first try takes it; a correction is answered with a legal move.
  const stubborn: Reply = (messages, options) =>
    messages.length === 2
      ? formatMove({ row: 1, col: 1 })
      : standInReply({ messages: messages.slice(-1), seed: (options?.seed ?? 0) + 1 });
  const run = await playExample({ id: "o", question: "", trained_player: "O", opening: [[1, 1]] }, stubborn);
  const firstTurn = candidatesOf(run).filter(({ data }) => data.turn_index === 0);

  const bad = firstTurn.filter(({ data }) => data.input.length === 2);
  expect(bad).toHaveLength(3);
  for (const { data, metadata } of bad) {
    expect(data.score).toBe(-1);
    expect(metadata).toMatchObject({
      reason: "row 1, column 1 is taken by X",
      is_selected: false,
      move: { row: 1, col: 1 },
    });
  }
  const retried = firstTurn.filter(({ data }) => data.input.length === 4);
  expect(retried).toHaveLength(3);
  for (const { data } of retried) {
    expect(data.input[2]).toEqual({ role: "assistant", content: formatMove({ row: 1, col: 1 }) });
    expect(data.input[3]?.content).toContain("is taken by X");
    expect(data.input.at(-1)?.content).not.toContain(data.output);
  }
  expect(run.status).toBe("completed");
});

test("a player that never makes a legal move forfeits the game", async () => {
  const run = await playExample({ id: "o", question: "", trained_player: "O", opening: [[1, 1]] }, () => "I pass.");

  expect(run.output).toMatchObject({ outcome: "loss", trained_player: "O", forfeit_by: "O", length: 0, moves: [] });
  expect((run.output as GameResult).reason).toContain("the reply holds no move");
  // Three slots, three tries each.
  expect(candidatesOf(run)).toHaveLength(9);
  expect(evaluateGame(run).metrics).toMatchObject({ forfeit_rate: 1, loss_rate: 1, legal_rate: 0 });
});

test("one failing call costs one candidate, not the game", async () => {
  let calls = 0;
  const run = await playExample(FROM_EMPTY, (messages, options) => {
    calls += 1;
    if (calls === 2) throw new Error("the line is dead");
    return random(messages, options);
  });

  expect(run.status).toBe("completed");
  const failed = candidatesOf(run).filter(({ data }) => data.output === null);
  expect(failed).toHaveLength(1);
  expect(failed[0]).toMatchObject({ data: { score: null }, metadata: { move: null, raw_llm_response: "" } });
});

test("a call that fails at the second try keeps the bad reply of the first", async () => {
  const run = await playExample(FROM_EMPTY, (messages) => {
    if (messages.length > 2) throw new Error("the line is dead");
    return "what?";
  });
  const outputs = candidatesOf(run).map(({ data }) => data.output);
  expect(outputs.filter((output) => output === "what?")).toHaveLength(3);
  expect(outputs.filter((output) => output === null)).toHaveLength(3);
});

test("a model that nobody serves fails the game by what the model's server did", async () => {
  const run = await playExample(FROM_EMPTY, () => {
    throw new PairwrightError({ code: "llm_unreachable", what: "no connection" });
  });
  expect(run).toMatchObject({ status: "failed", error: { cause: "llm_unreachable" } });
});

test("the same seed plays the same game with the same candidates, another seed another", async () => {
  const [one, again, other] = [
    await playExample(FROM_EMPTY, random),
    await playExample(FROM_EMPTY, random),
    await playExample(FROM_EMPTY, random, { seed: 1 }),
  ];
  expect(candidatesOf(again)).toEqual(candidatesOf(one));
  expect(again.output).toEqual(one.output);
  expect(candidatesOf(other).map(({ data }) => data.output)).not.toEqual(
    candidatesOf(one).map(({ data }) => data.output),
  );
});

test("policy only: one reply a turn, unscored", async () => {
  const legal: Reply = (messages) => {
    const board = readBoard(String(messages.at(-1)?.content)) ?? [];
    const square = board.flat().indexOf(0);
    expect(sideToMove(board)).toBe(1);
    return formatMove({ row: Math.floor(square / 3) + 1, col: (square % 3) + 1 });
  };
  const run = await playExample(FROM_EMPTY, legal, { policy_only: true });

  const candidates = candidatesOf(run);
  expect(candidates).toHaveLength((run.output as GameResult).length);
  for (const { data } of candidates) expect(data.score).toBeNull();
});

test("proposals drawn together are those drawn one by one", async () => {
  const apart = await playExample(FROM_EMPTY, random);
  CONFIG.ttc_strategies.trained_move_searcher.together = true;
  CONFIG.ttc_strategies.random_move_searcher.together = true;
  try {
    const together = await playExample(FROM_EMPTY, random);
    const drawn = (run: RunRecord) => candidatesOf(run).map(({ data, metadata }) => [data, metadata.seed]);
    expect(drawn(together)).toEqual(drawn(apart));
    const calls = (run: RunRecord) => run.steps.filter(({ payload }) => payload.event_type === "LLM_START").length;
    // Three of a turn are one; what is asked again is asked by itself.
    expect(calls(together)).toBeLessThan(calls(apart) - 5);
  } finally {
    delete CONFIG.ttc_strategies.trained_move_searcher.together;
    delete CONFIG.ttc_strategies.random_move_searcher.together;
  }
});

test("against everything that the other side can do, the model is asked in each position that it comes to", async () => {
  const row = { id: "every", question: "", trained_player: "O", opponent: "every" };
  const first: Reply = (messages) => formatMove(legalMoves(readBoard(String(messages.at(-1)?.content)) ?? [])[0]!);
  const run = await playExample(row, first, { policy_only: true });

  const counts = countLines(({ board }) => legalMoves(board)[0] ?? null, -1);
  expect(run.output).toMatchObject({ trained_player: "O", ...counts });
  expect(candidatesOf(run)).toHaveLength((run.output as EveryGameResult).positions);
  expect(candidatesOf(run).map(({ data }) => data.turn_index)).toEqual(candidatesOf(run).map((_, index) => index));
  expect(evaluateGame(run).metrics).toEqual({ losing_lines: counts.losses, unbeaten: 0 });
});

test("with perfect judgement of three tries each, scores are the ranges of the seeds", async () => {
  const run = await playExample(FROM_EMPTY, random);
  for (const { data } of candidatesOf(run)) {
    const inRange = [
      data.score === -1,
      data.score >= 0 && data.score < 1,
      data.score > 10 && data.score <= 11,
      data.score === 16,
    ];
    expect(inRange.filter(Boolean)).toHaveLength(1);
  }
});

test("a row that is no game fails that example with the field's name", async () => {
  const run = await playExample({ id: "bad", question: "Play.", trained_player: "X", opening: [[4, 4]] }, random);
  expect(run).toMatchObject({ status: "failed", error: { code: "bad_game" } });
  expect(run.error?.message).toContain("`opening[0]`");
});
