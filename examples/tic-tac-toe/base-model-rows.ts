import type { Message } from "pairwright";
import {
  type Board,
  cellAt,
  EMPTY_BOARD,
  illegalReason,
  isOver,
  legalMoves,
  type MoveRequest,
  play,
  SQUARES,
  sideToMove,
} from "./board.ts";
import { correction, formatMove, movePrompt } from "./prompt.ts";

/** A prompt of this example and a reply to it: a row of a data set for SFT. */
export interface SftRow {
  prompt: Message[];
  completion: string;
}

/** In one of ten rows the model is told that it has just taken a square that was not free, and is asked again. */
const CORRECTED = 0.1;

/**
 * What there is to learn from people who know the rules and nothing else: random games, a row a turn of either side, each with a
 * legal move that is as likely as the others. The game goes on with that move, so openings come more often than late positions.
 */
export function randomGameRows(count: number, random: () => number): SftRow[] {
  const rows: SftRow[] = [];
  while (rows.length < count) {
    for (let board = EMPTY_BOARD; !isOver(board) && rows.length < count; ) {
      const request = { board, player: sideToMove(board) };
      const move = oneOf(legalMoves(board), random);
      rows.push({ prompt: promptFor(request, random), completion: formatMove(move) });
      board = play(board, move, request.player);
    }
  }
  return rows;
}

function promptFor(request: MoveRequest, random: () => number): Message[] {
  const prompt = movePrompt(request);
  const taken = takenSquares(request.board);
  if (random() >= CORRECTED || taken.length === 0) return prompt;
  const bad = oneOf(taken, random);
  const reason = illegalReason(request.board, bad) ?? "";
  return [...prompt, { role: "assistant", content: formatMove(bad) }, correction(request, reason)];
}

function takenSquares(board: Board) {
  return SQUARES.filter((square) => cellAt(board, square) !== 0);
}

function oneOf<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError("there is nothing to choose from");
  return item;
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
