import { illegalReason, type Move, type MoveRequest, SQUARES } from "./board.ts";
import { moveChances } from "./evaluate-model-chances.ts";
import { countLines, type LineCounts, type Plays } from "./evaluate-model-lines.ts";
import { openLocalModel } from "./local-model.ts";
import { keepsValue, reachablePositions } from "./positions.ts";
import { movePrompt, parseMove, printBoard } from "./prompt.ts";

/** Shares of all positions, from 0 to 1. Each includes those after it. */
export interface PositionFigures {
  /** The reply holds one move. */
  well_formed: number;
  /** The move can be made. */
  legal: number;
  /** It is as good as any: it does not make a loss of a draw, nor less than a win of a win. At random: 0.5797. */
  keeps_value: number;
}

/** What a model does in this game. */
export interface ModelReport {
  positions: number;
  /** At temperature 1, computed: only replies that are written just as this example writes them count, so it is the least. */
  temperature_1: PositionFigures;
  /** At temperature 1, one reply a position, read as the game reads it: words around a move do not matter. */
  sampled: PositionFigures;
  greedy: PositionFigures;
  /** Greedy play against every line of the opponent. */
  as_x: LineCounts;
  as_o: LineCounts;
}

/** Evaluates a model folder over all positions of the game. Chance is seeded: the same model gives the same report. */
export async function evaluateModel(dir: string): Promise<ModelReport> {
  return (await evaluateModelPlays(dir)).report;
}

/** The same, with what its greedy play is in each position. */
export async function evaluateModelPlays(dir: string): Promise<{ report: ModelReport; plays: Plays }> {
  const positions = reachablePositions();
  const { greedy, sampled } = await movesOf(dir, positions);
  const moves = new Map(greedy.map((move, index) => [keyOf(positions[index]), move]));
  const plays: Plays = (request) => moves.get(keyOf(request)) ?? null;
  const report = {
    positions: positions.length,
    temperature_1: chanceFigures(positions, await moveChances(dir, positions)),
    sampled: moveFigures(positions, sampled),
    greedy: moveFigures(positions, greedy),
    as_x: countLines(plays, 1),
    as_o: countLines(plays, -1),
  };
  return { report, plays };
}

/** What the model replies in each position, read as a move: the likeliest tokens, and tokens drawn at temperature 1. */
async function movesOf(dir: string, positions: readonly MoveRequest[]) {
  await using model = await openLocalModel(dir);
  const ask = async (temperature: number): Promise<(Move | null)[]> => {
    const replies = positions.map((position, seed) =>
      model.reply({ messages: movePrompt(position), temperature, seed }),
    );
    return (await Promise.all(replies)).map(({ content }) => parseMove(content).move ?? null);
  };
  return { greedy: await ask(0), sampled: await ask(1) };
}

/** Means over all positions of what happens with these probabilities of each square (in the order of `SQUARES`). */
export function chanceFigures(
  positions: readonly MoveRequest[],
  chances: readonly (readonly number[])[],
): PositionFigures {
  return means(
    positions.map((position, index) =>
      SQUARES.map((move, square) => weighed(position, move, chances[index]?.[square] ?? 0)).reduce(sum, NOTHING),
    ),
  );
}

/** The same where one move is made in each position; null is a reply without one. */
export function moveFigures(positions: readonly MoveRequest[], moves: readonly (Move | null)[]): PositionFigures {
  return means(positions.map((position, index) => weighed(position, moves[index] ?? null, 1)));
}

const NOTHING: PositionFigures = { well_formed: 0, legal: 0, keeps_value: 0 };

function weighed(position: MoveRequest, move: Move | null, share: number): PositionFigures {
  if (move === null) return NOTHING;
  if (illegalReason(position.board, move) !== undefined) return { ...NOTHING, well_formed: share };
  return { well_formed: share, legal: share, keeps_value: keepsValue(position, move) ? share : 0 };
}

function sum(one: PositionFigures, other: PositionFigures): PositionFigures {
  return {
    well_formed: one.well_formed + other.well_formed,
    legal: one.legal + other.legal,
    keeps_value: one.keeps_value + other.keeps_value,
  };
}

function means(figures: readonly PositionFigures[]): PositionFigures {
  const { well_formed, legal, keeps_value } = figures.reduce(sum, NOTHING);
  const { length } = figures;
  return { well_formed: well_formed / length, legal: legal / length, keeps_value: keeps_value / length };
}

/** Whose turn it is follows from the board. */
function keyOf(request: MoveRequest | undefined): string {
  return request === undefined ? "" : printBoard(request.board);
}
