import type { Command } from "commander";
import { type Add, collectValue } from "./add-command.ts";

/** `pairs build|lint|convert|merge` with their flags. */
export function addPairsCommands(program: Command, add: Add): void {
  const pairs = program.command("pairs").description("preference pairs: build, lint, convert, merge");
  add(
    "build <run...>",
    "pairs again from stored runs; calls no model",
    () => import("./commands/pairs-build.ts"),
    pairs,
  )
    .option("--output <dir>", "write here instead of into the run's folder")
    .option("--step-name <name>", "the name of the recorded candidates")
    .option("--min-score-diff <x>", "the least difference of a pair's scores")
    .option("--pair-mode <mode>", "all, best_vs_worst or best_vs_lower")
    .option("--group-by <what>", "turn, or prompt: equal prompts of the whole folder")
    .option("--max-pairs-per-turn <n>", "the widest gaps only")
    .option("--max-pairs <n>", "a seeded sample of this size")
    .option("--policy-candidates-only", "leave out candidates that no model sampled")
    .option("--contradictions <what>", "drop or keep pairs that a prompt has both ways round")
    .option("--no-dedupe", "keep equal pairs")
    .option("--training-type <type>", "dpo: a row a pair; sft: a row a turn, of its best reply")
    .option("--use-full-message-history", "the prompt of a row as messages, not as the last one's text")
    .option("--validation <fraction>", "the share of the validation file")
    .option("--by <key>", "split by auto, example, prompt or group")
    .option("--seed <n>", "of the sample that --max-pairs takes; the runs' own unless told")
    .option(
      "--scorer <name>",
      "score the stored candidates anew with this scorer of --config-file; it may call no model",
    )
    .option("--config-file <file>", "take builder, trainer and split from this configuration")
    .option("-o, --override <path value>", "change a value of the configuration (repeatable)", collectValue, []);
  add(
    "convert <in> <out>",
    "a preference data set in another format",
    () => import("./commands/pairs-convert.ts"),
    pairs,
  )
    .option("--from <format>", "of the input; csv too; told by its first row unless told here")
    .option("--to <format>", "of the output; see `pairwright info components -t format`")
    .option("--allow-loss", "drop calls of tools where rows cannot hold them");
  add("lint <file...>", "faults of a preference data set", () => import("./commands/pairs-lint.ts"), pairs).option(
    "--max-characters <n>",
    "longer rows are over-long",
  );
  add(
    "merge <run...>",
    "shards or runs into one, examples kept whole",
    () => import("./commands/pairs-merge.ts"),
    pairs,
  )
    .requiredOption("--output <dir>", "the merged run's folder; of shards of rollouts, the merged file")
    .option("--validation <file>", "of shards of rollouts: the merged validation file")
    .option("--config-file <file>", "take builder, trainer and split from this configuration")
    .option("-o, --override <path value>", "change a value of the configuration (repeatable)", collectValue, []);
}

/** `rollouts` with its flags. */
export function addRolloutsCommand(add: Add): void {
  add("rollouts", "recorded rollouts to preference pairs; calls no model", () => import("./commands/rollouts.ts"))
    .option(
      "--input <file...>",
      "rollouts: files (.jsonl, .json, also .gz or .zst), patterns, - for standard input (repeatable)",
    )
    .option("--output <file>", "the training rows")
    .option("--validation <file>", "the validation rows; no task and no prompt stands on both sides")
    .option("--validation-share <x>", "about this share of the tasks is for validation", "0.2")
    .option(
      "--strategy <name>",
      "same_prompt (best over worst), stratified (good over bad) or all_pairs",
      "same_prompt",
    )
    .option("--min-gap <x>", "the least difference of a pair's rewards", "0.2")
    .option("--high-threshold <x>", "stratified: at least this is good", "0.7")
    .option("--low-threshold <x>", "stratified: at most this is bad", "0.4")
    .option("--max-pairs-per-task <n>", "stratified and all_pairs: the widest gaps only", "32")
    .option("--min-group-size <n>", "a task of fewer rollouts makes no pair", "2")
    .option(
      "--from <reader>",
      "what wrote the rollouts, of `pairwright info components -t reader`; told by the first rows unless told here",
    )
    .option("--to <format>", "the rows' format; see `pairwright info components -t format`", "nemo-rl-binary")
    .option(
      "--completion <what>",
      "text (said last), turn (all of it) or divergence (the first turn that differs)",
      "text",
    )
    .option("--reward <sum>", "such as 0.7*correctness+0.3*format, instead of the reward itself")
    .option("--pass-threshold <x>", "a reward of at least this passes, others fail; what passes is chosen")
    .option("--task-key <fields>", "fields that name a task, by their paths, with commas between")
    .option("--prompt-from <field>", "where the prompt stands in rows whose own is empty")
    .option("--join-tasks", "pair equal prompts of different tasks")
    .option("--across-tasks", "stratified: good over bad of any task; DPO learns nothing right from it")
    .option("--max-bad <n>", "pass over so many lines that are no rollout", "0")
    .option("--allow-loss", "drop calls of tools where rows cannot hold them")
    .option("--shard <i/n>", "the i-th of n equal parts; pairs merge joins them");
}
