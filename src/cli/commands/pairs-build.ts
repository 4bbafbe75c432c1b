import { EXIT } from "../../lib/errors.ts";
import { describePairs } from "../../pipeline/describe-result.ts";
import { buildPairs } from "../../pipeline/pairs.ts";
import type { CommandRun } from "../command.ts";
import { wholeNumber } from "../flags.ts";
import { pairPartsFor } from "../pair-parts.ts";

export const run: CommandRun = async (input) => {
  const { args, flags, terminal } = input;
  const parts = await pairPartsFor(input);
  const output = typeof flags.output === "string" ? flags.output : undefined;
  const summary = await buildPairs({ runs: args, output, seed: wholeNumber(flags, "seed") ?? 0, ...parts });
  terminal.print(describePairs(summary, summary.output));
  terminal.result(summary);
  return summary.pairs === 0 ? EXIT.no_pairs : EXIT.ok;
};
