import { EXIT } from "../../lib/errors.ts";
import { describePairs } from "../../pipeline/describe-result.ts";
import { mergeRuns } from "../../pipeline/merge.ts";
import type { CommandRun } from "../command.ts";
import { pairPartsFor } from "../pair-parts.ts";
import { stoppable } from "../stoppable.ts";

export const run: CommandRun = async (input) => {
  const { args, flags, terminal } = input;
  const output = String(flags.output);
  const warnings: string[] = [];
  const parts = await pairPartsFor(input, (warning) => warnings.push(warning));
  const merged = await stoppable((signal) => mergeRuns({ runs: args, output, ...parts, signal }));
  merged.pairs.warnings.unshift(...warnings);
  terminal.print(`${merged.merged} runs of examples from ${args.length} folders in ${output}`);
  terminal.print(describePairs(merged.pairs, output));
  terminal.result({ ...merged, runs: args.length, summary: merged.pairs, pairs: merged.pairs.pairs });
  return merged.pairs.pairs === 0 ? EXIT.no_pairs : EXIT.ok;
};
