import { EXIT } from "../../lib/errors.ts";
import { counted, describePairs, faultOfPairs } from "../../pipeline/describe-result.ts";
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
  const fault = faultOfPairs(merged.pairs);
  if (fault) terminal.fault(fault);
  terminal.result({ ...merged, runs: args.length, summary: merged.pairs, pairs: merged.pairs.pairs });
  return fault?.exit_code ?? EXIT.ok;
};
