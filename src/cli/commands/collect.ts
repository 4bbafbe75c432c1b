import { EXIT } from "../../lib/errors.ts";
import { collectParts } from "../../pipeline/collect.ts";
import { describePairs, faultOfPairs } from "../../pipeline/describe-result.ts";
import { runCollecting } from "../collecting.ts";
import type { CommandRun } from "../command.ts";

export const run: CommandRun = (input) =>
  runCollecting(input, {
    command: "collect",
    uses: ["llms", "functions", "ttc_strategies", "workflow", "eval", "trajectory_builders", "split"],
    perform: collectParts,
    report: ({ pairs, run_dir, completed }) =>
      pairs
        ? completed > 0
          ? describePairs(pairs, run_dir)
          : undefined
        : "a shard stops here: join all of them with `pairwright pairs merge RUN… --output DIR`, which makes the pairs",
    json: ({ pairs, ...result }) => ({ ...result, ...pairs }),
    exitCode: ({ pairs }) => (pairs && faultOfPairs(pairs))?.exit_code ?? EXIT.ok,
  });
