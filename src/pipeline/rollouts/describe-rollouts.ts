import { EXIT, PairwrightError } from "../../lib/errors.ts";
import { counted } from "../describe-result.ts";
import type { RolloutPairsOptions } from "./build-rollout-pairs.ts";
import type { RolloutSummary } from "./manifest.ts";

/** What came of rollouts, for people: the counts and averages that the seeds' script prints, and what was left out. */
export function describeRollouts(
  summary: RolloutSummary,
  { inputs, output, validation }: Pick<RolloutPairsOptions, "inputs" | "output" | "validation">,
): string {
  const { averages, training, lost_fields } = summary;
  const reasons = Object.entries(summary.skipped).sort(([, a], [, b]) => b - a);
  const lost = Object.entries(lost_fields);
  const faults = Object.entries(summary.faults);
  const bad = summary.bad > 0 ? `, ${counted(summary.bad, "bad line")}` : "";
  return [
    `Loaded ${counted(summary.rollouts, "rollout")} from ${inputs.join(", ")}${bad}`,
    `Found ${counted(summary.tasks, "task")}; ${counted(summary.groups, "group")} of rollouts with one task and prompt`,
    `Created ${counted(summary.pairs, "pair")}`,
    ...(averages === null
      ? []
      : [
          `Average reward gap: ${averages.reward_gap.toFixed(3)}`,
          `Average chosen reward: ${averages.chosen_reward.toFixed(3)}`,
          `Average rejected reward: ${averages.rejected_reward.toFixed(3)}`,
        ]),
    ...summary.bad_lines.map(({ file, line, problem }) => `bad line ${file}:${line}: ${problem}`),
    ...(reasons.length > 0 ? [`left out: ${reasons.map(([reason, n]) => `${reason} ${n}`).join(", ")}`] : []),
    ...(lost.length > 0
      ? [`not held by this row format: ${lost.map(([field, n]) => `${field} ${n}`).join(", ")}`]
      : []),
    ...(faults.length > 0 ? [`lint: ${faults.map(([kind, n]) => `${kind} ${n}`).join(", ")}`] : []),
    ...(summary.pairs === 0 ? [] : [`Wrote ${counted(training, "pair")} to ${output}`]),
    ...(summary.pairs === 0 || validation === undefined
      ? []
      : [`Wrote ${counted(summary.validation, "pair")} to ${validation}`]),
  ].join("\n");
}

/** The error of rollouts that gave no pair, with the advice that fits the main reason. */
export function noRolloutPairs({ skipped, rollouts }: RolloutSummary): PairwrightError {
  const reasons = Object.entries(skipped).sort(([, a], [, b]) => b - a);
  const advice = reasons.map(([reason]) => ADVICE[reason]).find((known) => known !== undefined);
  return new PairwrightError({
    code: "no_pairs",
    what: rollouts === 0 ? "there is no rollout in the input" : "no preference pairs were made",
    fix: rollouts === 0 ? "check the input" : (advice ?? "the reasons above say what was left out"),
    exit_code: EXIT.no_pairs,
  });
}

const ADVICE: Record<string, string> = {
  below_min_gap: "lower --min_gap",
  equal_rewards: "the rollouts of each task have equal rewards: collect more of them, or tasks of another difficulty",
  single_rollout: "collect several rollouts of each task (NeMo Gym: --num-repeats N)",
  different_prompt:
    "the rollouts of a task have different prompts, so none of them answers what another was asked; name another --task-key if they are no task",
  different_task:
    "equal prompts stand under different tasks; --join-tasks pairs them, which is right only where nothing hidden tells the tasks apart",
  empty_prompt:
    "the rows hold no prompt; name the field that does with --prompt-from, such as responses_create_params.metadata.problem_statement",
  unscored: "a reward that is no number is none, never 0; name others with --reward",
  small_group: "lower --min_group_size, or collect more rollouts of each task",
  no_response: "the rows hold no response: check that the input is what was collected, not what was asked",
  no_high: "lower --high_threshold",
  no_low: "raise --low_threshold",
  no_final_text: "the rollouts end with a call of a tool: --completion divergence or turn",
  several_turns: "the final text answers another turn than the prompt: --completion divergence or turn",
  unwritable_several_messages: "give --to a format that holds several messages: trl-conversational or nemo-rl-ranked",
  diverges_in_environment: "the rollouts part in what the environment said, so no turn of the model was better",
};
