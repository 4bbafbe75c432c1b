import type { Message } from "pairwright";
import { type Board, type Cell, type Move, type MoveRequest, symbolOf } from "./board.ts";

/** `{symbol}` stands for X or O. Short on purpose: it suits a very small model; see `system_prompt` in the README. */
export const SYSTEM_PROMPT = "You play {symbol} in tic-tac-toe. Reply with one move as XML.";

const MARKS = { 0: "_", 1: "X", [-1]: "O" } as const;
const HEADER = "  1 2 3";
const PRINTED = /^ {2}1 2 3\n1 ([XO_]) ([XO_]) ([XO_])\n2 ([XO_]) ([XO_]) ([XO_])\n3 ([XO_]) ([XO_]) ([XO_])$/gm;
const MOVE = /<move>\s*<row>\s*(-?\d+)\s*<\/row>\s*<col>\s*(-?\d+)\s*<\/col>\s*<\/move>/gi;

/** The board as the seeds print it: a header and three numbered rows, no newline at the end. */
export function printBoard(board: Board): string {
  return [HEADER, ...board.map((cells, row) => `${row + 1} ${cells.map((cell) => MARKS[cell]).join(" ")}`)].join("\n");
}

/** The last board printed in a text; `undefined` when there is none. */
export function readBoard(text: string): Board | undefined {
  const printed = [...text.matchAll(PRINTED)].at(-1);
  if (!printed) return undefined;
  const cells = printed.slice(1).map((mark): Cell => (mark === "X" ? 1 : mark === "O" ? -1 : 0));
  return [cells.slice(0, 3), cells.slice(3, 6), cells.slice(6)];
}

/** What a player is told and asked: its side, then the board as it stands, a newline after every row. */
export function movePrompt({ board, player }: MoveRequest, system: string = SYSTEM_PROMPT): Message[] {
  return [
    { role: "system", content: system.replaceAll("{symbol}", symbolOf(player)) },
    { role: "user", content: `${printBoard(board)}\n` },
  ];
}

/** Says what was wrong with a reply and asks again; holds the board, so that it can be answered by itself. */
export function correction({ board, player }: MoveRequest, reason: string): Message {
  const ask = `You play ${symbolOf(player)}. Reply with one empty square as <move><row>R</row><col>C</col></move>.`;
  return { role: "user", content: `That is no legal move: ${reason}. ${ask}\n${printBoard(board)}\n` };
}

/** A move as replies write it. */
export function formatMove({ row, col }: Move): string {
  return `<move>\n  <row>${row}</row>\n  <col>${col}</col>\n</move>`;
}

export type ParsedMove = { move: Move; reason?: undefined } | { move?: undefined; reason: string };

/**
 * The one move that a reply names. White space between the tags, and words around them, do not matter; the same move
 * said twice is one move. Whether it can be made is not asked here: the square may be taken or off the board.
 */
export function parseMove(text: string): ParsedMove {
  const moves = [...text.matchAll(MOVE)].map(([, row, col]) => ({ row: Number(row), col: Number(col) }));
  const [first] = moves;
  if (!first) return { reason: "the reply holds no move of the form <move><row>R</row><col>C</col></move>" };
  if (moves.some(({ row, col }) => row !== first.row || col !== first.col)) {
    return { reason: "the reply holds several different moves" };
  }
  return { move: first };
}
