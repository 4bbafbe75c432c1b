import { EXIT, usageError } from "../../lib/errors.ts";
import { keepHeapLow } from "../../lib/heap.ts";
import { buildAlone } from "../../pipeline/build-alone.ts";
import { componentPart } from "../../pipeline/component-part.ts";
import { buildRolloutPairs, type RolloutPairsOptions } from "../../pipeline/rollouts/build-rollout-pairs.ts";
import { describeRollouts, noRolloutPairs } from "../../pipeline/rollouts/describe-rollouts.ts";
import type { Registry } from "../../registry/registry.ts";
import type { CommandInput, CommandRun } from "../command.ts";
import { number, oneOf, shardOf, wholeNumber } from "../flags.ts";
import { list, registryWithPlugins } from "../load.ts";
import { rolloutsProgress } from "../rollouts-progress.ts";
import { stoppable } from "../stoppable.ts";
import type { Terminal } from "../terminal.ts";

export const run: CommandRun = async (input) => {
  const { terminal } = input;
  keepHeapLow();
  const options = await optionsOf(input);
  const line = rolloutsProgress(terminal, Date.now);
  const summary = await stoppable((signal) =>
    buildRolloutPairs({ ...options, onProgress: line.show, signal }).finally(line.end),
  );
  terminal.print(describeRollouts(summary, options));
  for (const warning of summary.warnings) terminal.warn(warning);
  if (summary.pairs === 0) terminal.fault(noRolloutPairs(summary));
  terminal.result(summary);
  return summary.pairs === 0 ? EXIT.no_pairs : EXIT.ok;
};

async function optionsOf({ flags, terminal }: CommandInput): Promise<RolloutPairsOptions> {
  const registry = await registryWithPlugins(flags, terminal);
  const { input, output } = flags;
  if (!Array.isArray(input) || typeof output !== "string") {
    throw usageError({
      code: "usage",
      what: "--input and --output are needed",
      fix: "name files to read and one to write",
    });
  }
  const format_name = textOf(flags.to) ?? "nemo-rl-binary";
  return {
    ...pairingOf(flags),
    inputs: list(input),
    stdin: process.stdin,
    output,
    validation: textOf(flags.validation),
    validation_share: shareOf(flags),
    readers: readersOf(registry, terminal),
    from: textOf(flags.from),
    format: buildAlone(
      componentPart(registry, { kind: "format", type: format_name, where: "--to" }),
      "format",
      terminal,
    ),
    format_name,
    allow_loss: flags.allowLoss === true,
    max_bad: wholeNumber(flags, "maxBad") ?? 0,
    shard: shardOf(flags),
  };
}

type Pairing = Pick<
  RolloutPairsOptions,
  | "strategy"
  | "min_gap"
  | "high_threshold"
  | "low_threshold"
  | "max_pairs_per_task"
  | "min_group_size"
  | "completion"
  | "reward"
  | "pass_threshold"
  | "task_key"
  | "prompt_from"
  | "across_tasks"
  | "join_tasks"
>;

/** The defaults are those of the seeds' script, where it has the flag. */
function pairingOf(flags: Record<string, unknown>): Pairing {
  const any = Number.NEGATIVE_INFINITY;
  const strategy = oneOf(flags, "strategy", ["same_prompt", "stratified", "all_pairs"]) ?? "same_prompt";
  if (flags.acrossTasks === true && strategy !== "stratified") {
    throw usageError({
      code: "usage",
      where: "--across-tasks",
      what: `it belongs to --strategy stratified, not to ${strategy}`,
      fix: "--join-tasks pairs equal prompts of different tasks, which is another thing",
    });
  }
  return {
    strategy,
    min_gap: number(flags, "minGap") ?? 0.2,
    high_threshold: number(flags, "highThreshold", any) ?? 0.7,
    low_threshold: number(flags, "lowThreshold", any) ?? 0.4,
    max_pairs_per_task: wholeNumber(flags, "maxPairsPerTask", 1) ?? 32,
    min_group_size: wholeNumber(flags, "minGroupSize", 2) ?? 2,
    completion: oneOf(flags, "completion", ["text", "turn", "divergence"]) ?? "text",
    reward: textOf(flags.reward),
    pass_threshold: number(flags, "passThreshold", any),
    task_key: textOf(flags.taskKey)?.split(","),
    prompt_from: textOf(flags.promptFrom),
    across_tasks: flags.acrossTasks === true,
    join_tasks: flags.joinTasks === true,
  };
}

function shareOf(flags: Record<string, unknown>): number {
  const share = number(flags, "validationShare") ?? 0.2;
  if (share < 1) return share;
  throw usageError({
    code: "usage",
    where: "--validation-share",
    what: `${share} is no share below 1`,
    fix: "give 0.2 or so",
  });
}

function readersOf(registry: Registry, terminal: Terminal): RolloutPairsOptions["readers"] {
  return registry.list("reader").map(({ type }) => ({
    name: type,
    reader: buildAlone(componentPart(registry, { kind: "reader", type }), "reader", terminal),
  }));
}

function textOf(flag: unknown): string | undefined {
  return typeof flag === "string" && flag !== "" ? flag : undefined;
}
