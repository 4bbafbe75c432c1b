import type { Registry } from "../registry/registry.ts";
import { executeScoreSelect } from "./functions/execute-score-select.ts";
import { multiCandidateSearch } from "./search/multi-candidate-search.ts";
import { multiLlmGeneration } from "./search/multi-llm-generation.ts";
import { bestOfNSelection } from "./select/best-of-n-selection.ts";
import { thresholdSelection } from "./select/threshold-selection.ts";

/** Adds the built-in strategies of test-time compute; scorers register themselves in `score/`. */
export function registerTtc(registry: Registry): void {
  registry.search("multi_candidate_search", multiCandidateSearch);
  registry.search("multi_llm_generation", multiLlmGeneration);
  registry.selector("best_of_n_selection", bestOfNSelection);
  registry.selector("threshold_selection", thresholdSelection);
  registry.function("execute_score_select_function", executeScoreSelect);
}
