import { definePlugin } from "pairwright";
import { boardPositionScorer } from "./board-position-scorer.ts";
import { chooseMove } from "./choose-move.ts";
import { dpoGameOutcome } from "./game-outcome.ts";
import { multiCandidateMoveSearch } from "./move-search.ts";
import { ttcMoveSelector } from "./move-selector.ts";
import { dpoTicTacToe } from "./workflow.ts";

/** Tic-tac-toe as a source of preference data: everything the configurations here name by `_type`. */
export default definePlugin((registry) => {
  registry.workflow("dpo_tic_tac_toe", dpoTicTacToe);
  registry.function("choose_move", chooseMove);
  registry.function("ttc_move_selector", ttcMoveSelector);
  registry.search("multi_candidate_move_search", multiCandidateMoveSearch);
  registry.scorer("board_position_scorer", boardPositionScorer);
  registry.evaluator("dpo_game_outcome", dpoGameOutcome);
});
