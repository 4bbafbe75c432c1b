import { EXIT } from "../../lib/errors.ts";
import { counted, describePairs, faultOfPairs } from "../../pipeline/describe-result.ts";
import { mergeRuns } from "../../pipeline/pairs/merge-runs.ts";
import { isShard, mergeShards } from "../../pipeline/rollouts/merge-shards.ts";
import type { CommandInput, CommandRun } from "../command.ts";
import { pairPartsFor } from "../pair-parts.ts";
import { stoppable } from "../stoppable.ts";

export const run: CommandRun = async (input) => {
  const { args, flags, terminal } = input;
  const output = String(flags.output);
  if (args[0] !== undefined && (await isShard(args[0]))) return mergeRollouts(input, output);
  const warnings: string[] = [];
  const parts = await pairPartsFor(input, (warning) => warnings.push(warning));
  const merged = await stoppable((signal) => mergeRuns({ runs: args, output, ...parts, signal }));
  merged.pairs.warnings.unshift(...warnings);
  terminal.print(
    `${counted(merged.merged, "run")} of examples from ${counted(args.length, "folder")} merged into ${output}`,
  );
  terminal.print(describePairs(merged.pairs, output));
  const fault = faultOfPairs(merged.pairs);
  if (fault) terminal.fault(fault);
  terminal.result({ ...merged, runs: args.length, summary: merged.pairs, pairs: merged.pairs.pairs });
  return fault?.exit_code ?? EXIT.ok;
};

async function mergeRollouts({ args, flags, terminal }: CommandInput, output: string): Promise<number> {
  const validation = typeof flags.validation === "string" ? flags.validation : undefined;
  const merged = await stoppable((signal) => mergeShards(args, { output, validation, signal }));
  terminal.print(`${counted(merged.shards, "shard")} merged: ${counted(merged.pairs, "pair")} in ${output}`);
  terminal.result(merged);
  return EXIT.ok;
}
