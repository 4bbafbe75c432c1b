import { type Candidate, type Component, type Question, type ScoreResult, z } from "pairwright";
import { illegalReason, type MoveRequest, moveOf, opponentOf, play } from "./board.ts";
import { formatMove } from "./prompt.ts";
import { ILLEGAL_SCORE, type ScoreOptions, scoreBoard } from "./scorer.ts";
import { verdictOf } from "./solver.ts";

const options = z.strictObject({
  heuristic: z
    .boolean()
    .default(true)
    .describe("features within [0, 1] and speed within (10, 11]; false gives the bare tiers 0, 0.5, 11 and 16"),
  exact_form: z
    .boolean()
    .default(false)
    .describe("a good move in any other words than the form itself is malformed: else odd spellings are learned, too"),
});

/** Scores a candidate's move by the exact value of the position that it leads to, for the player who made it. */
export const boardPositionScorer: Component<"scorer", typeof options> = {
  description: "exact tic-tac-toe value of the position after the move; -1 for an illegal or malformed reply",
  options,
  build:
    ({ options }) =>
    (candidate, question: Question & { input: MoveRequest }) =>
      scoreMove(question.input, candidate, options),
};

/** A reply without a move it could be played as has the lowest score, with the reason; it is never left unscored. */
export function scoreMove(
  { board, player }: MoveRequest,
  { value, reason, text = "" }: Pick<Candidate, "value" | "reason"> & { text?: string },
  { exact_form = false, ...options }: ScoreOptions & { exact_form?: boolean },
): Exclude<ScoreResult, number | null> {
  const move = moveOf(value);
  if (!move) return { score: ILLEGAL_SCORE, reason: reason ?? "the reply holds no move" };
  if (exact_form && text.trim() !== formatMove(move)) return { score: ILLEGAL_SCORE, reason: "not in the form alone" };
  const fault = illegalReason(board, move);
  if (fault) return { score: ILLEGAL_SCORE, reason: fault };

  // It is the other side's turn then: what counts is what they can do about it.
  const after = play(board, move, player);
  const other = opponentOf(player);
  const { outcome, plies } = verdictOf(after, player, other);
  const reasons = {
    [-1]: `a forced loss, plies to the end: ${plies}`,
    0: "nothing is forced",
    1: plies === 0 ? "wins at once" : `a forced win, plies to the end: ${plies}`,
  };
  return { score: scoreBoard(after, player, other, options), reason: reasons[outcome] };
}
