import { EXIT } from "../../lib/errors.ts";
import { describePairs, faultOfPairs } from "../../pipeline/describe-result.ts";
import { rebuildPairs } from "../../pipeline/pairs/rebuild.ts";
import { rescorer } from "../../pipeline/pairs/rescore.ts";
import type { CommandRun } from "../command.ts";
import { wholeNumber } from "../flags.ts";
import { pairPartsFor } from "../pair-parts.ts";
import { stoppable } from "../stoppable.ts";

export const run: CommandRun = async (input) => {
  const { args, flags, terminal } = input;
  const warnings: string[] = [];
  const { scorer, ...parts } = await pairPartsFor(input, (warning) => warnings.push(warning));
  const output = typeof flags.output === "string" ? flags.output : undefined;
  const seed = wholeNumber(flags, "seed");
  const built = await stoppable((signal) => {
    const rescore = scorer && rescorer(scorer, parts.builder.step_name, signal);
    return rebuildPairs({ runs: args, output, ...parts, rescore, seed, signal });
  });
  const summary = { ...built, warnings: [...warnings, ...built.warnings] };
  terminal.print(describePairs(summary, summary.output));
  const fault = faultOfPairs(summary);
  if (fault) terminal.fault(fault);
  terminal.result(summary);
  return fault?.exit_code ?? EXIT.ok;
};
