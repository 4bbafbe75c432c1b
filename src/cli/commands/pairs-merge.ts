import { EXIT } from "../../lib/errors.ts";
import { counted, describePairs, noPairs } from "../../pipeline/describe-result.ts";
import { mergeRuns } from "../../pipeline/pairs/merge-runs.ts";
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
  terminal.print(
    `${counted(merged.merged, "run")} of examples from ${counted(args.length, "folder")} merged into ${output}`,
  );
  terminal.print(describePairs(merged.pairs, output));
  if (merged.pairs.pairs === 0) terminal.fault(noPairs(merged.pairs));
  terminal.result({ ...merged, runs: args.length, summary: merged.pairs, pairs: merged.pairs.pairs });
  return merged.pairs.pairs === 0 ? EXIT.no_pairs : EXIT.ok;
};
