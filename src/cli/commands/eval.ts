import { EXIT } from "../../lib/errors.ts";
import { evaluate } from "../../pipeline/evaluate.ts";
import { runCollecting } from "../collecting.ts";
import type { CommandRun } from "../command.ts";

export const run: CommandRun = (input) =>
  runCollecting(input, {
    command: "eval",
    uses: ["llms", "functions", "ttc_strategies", "workflow", "eval"],
    perform: evaluate,
    report: () => undefined,
    exitCode: () => EXIT.ok,
  });
