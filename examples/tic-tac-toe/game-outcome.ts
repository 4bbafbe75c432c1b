import { type Component, type Evaluation, PairwrightError, type RunRecord, z } from "pairwright";
import {
  type Board,
  type Cell,
  illegalReason,
  type MoveRequest,
  opponentOf,
  type Player,
  type PlayerSymbol,
  play,
  playerOf,
} from "./board.ts";
import { EveryGameResult } from "./every-game.ts";
import { GameResult } from "./game.ts";
import { verdictOf } from "./solver.ts";

const SCORES = { win: 1, draw: 0.5, loss: 0 } as const;

/** The recorded facts of a reply that say whether it could be played. */
const ReplyFacts = z.object({
  player_symbol: z.enum(["X", "O"]),
  board_state_before: z.custom<Board>(Array.isArray),
  move: z.object({ row: z.number(), col: z.number() }).nullable(),
});

/** Scores a game for the trained player: 1, ½ or 0, with figures whose means are the rates. */
export const dpoGameOutcome: Component<"evaluator", z.ZodObject<Record<never, never>>> = {
  description: "win, draw or loss of the trained player; rates, game length, forfeits and legal replies",
  options: z.strictObject({}),
  build: () => ({ shares: SHARES, evaluate: (run) => evaluateGame(run) }),
};

const RATES = ["win_rate", "loss_rate", "draw_rate", "safe_rate", "forfeit_rate", "legal_rate"];
const SHARES = ["score", ...RATES, "unbeaten"];

/**
 * `forfeit_rate` counts games that the trained player lost by an illegal or malformed reply; they are in `loss_rate`,
 * too. `safe_rate` counts games in which none of its moves made a position lost that was not: against a weak opponent, far
 * more games have such a move than are lost. `legal_rate` is the share of its replies, retried ones included, that were
 * legal moves.
 */
export function evaluateGame(run: Pick<RunRecord, "example_id" | "status" | "output" | "steps">): Evaluation {
  if (run.status === "failed") return { score: null, reasoning: "the game was not played to its end" };
  const every = EveryGameResult.safeParse(run.output);
  if (every.success) return evaluateEveryGame(every.data);
  const parsed = GameResult.safeParse(run.output);
  if (!parsed.success) {
    throw new PairwrightError({
      code: "not_a_game",
      where: `example "${run.example_id}"`,
      what: "the output is not the result of a game",
      fix: "use dpo_game_outcome with the workflow dpo_tic_tac_toe",
    });
  }

  const { outcome, trained_player, length, forfeit_by, reason } = parsed.data;
  return {
    score: SCORES[outcome],
    reasoning: { outcome, trained_player, length, ...(forfeit_by && { forfeit_by, reason }) },
    metrics: {
      win_rate: outcome === "win" ? 1 : 0,
      loss_rate: outcome === "loss" ? 1 : 0,
      draw_rate: outcome === "draw" ? 1 : 0,
      average_game_length: length,
      safe_rate: forfeit_by !== trained_player && isSafe(parsed.data) ? 1 : 0,
      forfeit_rate: forfeit_by === trained_player ? 1 : 0,
      legal_rate: legalRate(run.steps, trained_player),
    },
  };
}

/** What a random opponent would score against it, exactly; `unbeaten` is the share of sides as which nobody can beat it. */
function evaluateEveryGame({ against_random, ...counts }: EveryGameResult): Evaluation {
  return {
    score: against_random.wins + SCORES.draw * against_random.draws,
    reasoning: counts,
    metrics: { losing_lines: counts.losses, unbeaten: counts.losses === 0 ? 1 : 0 },
  };
}

function isSafe({ moves, final_board, trained_player }: GameResult): boolean {
  const player = playerOf(trained_player);
  // Back from the end, since a game need not begin on the empty board.
  const start = final_board.map((row) => [...row]) as Cell[][];
  for (const { row, col } of moves) start[row - 1]?.splice(col - 1, 1, 0);
  let board: Board = start;
  for (const move of moves) {
    const request: MoveRequest = { board, player: playerOf(move.player) };
    const next = play(board, move, request.player);
    if (request.player === player && loses(next, player, opponentOf(player)) && !loses(board, player, player))
      return false;
    board = next;
  }
  return true;
}

function loses(board: Board, player: Player, to_move: Player): boolean {
  return verdictOf(board, player, to_move).outcome === -1;
}

/** `null` where the run's steps were not kept: unknown, not none. A call that failed gave no reply and counts nowhere. */
function legalRate(steps: RunRecord["steps"], symbol: PlayerSymbol): number | null {
  let replies = 0;
  let legal = 0;
  for (const { payload } of steps) {
    if (payload.event_type !== "CUSTOM_END" || payload.data?.output === null) continue;
    const facts = ReplyFacts.safeParse(payload.metadata);
    if (!facts.success || facts.data.player_symbol !== symbol) continue;
    const { board_state_before, move } = facts.data;
    replies += 1;
    if (move && illegalReason(board_state_before, move) === undefined) legal += 1;
  }
  return replies === 0 ? null : legal / replies;
}
