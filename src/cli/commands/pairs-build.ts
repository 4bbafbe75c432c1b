import { EXIT } from "../../lib/errors.ts";
import { describePairs, noPairs } from "../../pipeline/describe-result.ts";
import { rebuildPairs } from "../../pipeline/pairs/rebuild.ts";
import type { CommandRun } from "../command.ts";
import { wholeNumber } from "../flags.ts";
import { pairPartsFor } from "../pair-parts.ts";
import { stoppable } from "../stoppable.ts";

export const run: CommandRun = async (input) => {
  const { args, flags, terminal } = input;
  const warnings: string[] = [];
  const parts = await pairPartsFor(input, (warning) => warnings.push(warning));
  const output = typeof flags.output === "string" ? flags.output : undefined;
  const seed = wholeNumber(flags, "seed");
  const built = await stoppable((signal) => rebuildPairs({ runs: args, output, ...parts, seed, signal }));
  const summary = { ...built, warnings: [...warnings, ...built.warnings] };
  terminal.print(describePairs(summary, summary.output));
  if (summary.pairs === 0) terminal.fault(noPairs(summary));
  terminal.result(summary);
  return summary.pairs === 0 ? EXIT.no_pairs : EXIT.ok;
};
