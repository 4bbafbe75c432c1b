import { createHash } from "node:crypto";
import { type Message, PairwrightError } from "pairwright";
import { type Board, cellAt, legalMoves, type Move, SQUARES } from "./board.ts";
import { formatMove, readBoard } from "./prompt.ts";

/**
 * What stands in for a model server's model where there is none: it reads the board out of the prompt and plays a
 * uniformly random legal move. **It is not a model**, it learns nothing, and figures made with it say nothing about one.
 * About 5 in 100 replies are illegal or malformed, so that one sees what becomes of such.
 *
 * The same messages and seed give the same reply. Which side it plays does not matter to a player at random.
 */
export function standInReply({
  messages,
  seed,
}: {
  messages: readonly Message[];
  seed?: number | null | undefined;
}): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([messages, seed ?? null]))
    .digest();
  const below = (limit: number, at: number) => digest.readUInt32BE(at * 4) % limit;

  const board = lastBoard(messages);
  const move = oneOf(legalMoves(board), below, 0);
  if (!move) throw noBoard("the board in the prompt is full");
  const taken = oneOf(
    SQUARES.filter((square) => cellAt(board, square) !== 0),
    below,
    1,
  );

  // Which of 100 this reply is: the first five are the bad ones.
  switch (below(100, 2)) {
    case 0:
    case 1:
      // On the empty board nothing is taken.
      return formatMove(taken ?? { row: 0, col: 0 });
    case 2:
      return formatMove({ row: move.row, col: 4 });
    case 3:
      return `${formatMove(move)}\n${formatMove({ row: move.row, col: (move.col % 3) + 1 })}`;
    case 4:
      return `I take row ${move.row}, column ${move.col}.`;
    default:
      return formatMove(move);
  }
}

function oneOf(moves: readonly Move[], below: (limit: number, at: number) => number, at: number): Move | undefined {
  return moves[below(Math.max(1, moves.length), at)];
}

function lastBoard(messages: readonly Message[]): Board {
  for (const { content } of [...messages].reverse()) {
    const text = typeof content === "string" ? content : content.map((part) => part.text ?? "").join("");
    const board = readBoard(text);
    if (board) return board;
  }
  throw noBoard("no message of the prompt holds a tic-tac-toe board");
}

function noBoard(what: string): PairwrightError {
  return new PairwrightError({
    code: "no_board",
    where: "stand-in",
    what,
    fix: "ask it with the prompts of this example",
  });
}
