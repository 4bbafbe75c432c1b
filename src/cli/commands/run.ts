import { EXIT, usageError } from "../../lib/errors.ts";
import { runOnce } from "../../pipeline/run-once.ts";
import type { CommandRun } from "../command.ts";
import { wholeNumber } from "../flags.ts";
import { onInterrupt } from "../interrupt.ts";
import { list, loadConfigFor } from "../load.ts";

export const run: CommandRun = async ({ args, flags, terminal }) => {
  const inputs = list(flags.input);
  if (inputs.length === 0) {
    throw usageError({
      code: "usage",
      what: "there is no input",
      fix: "give one with --input TEXT; it may be given often",
    });
  }
  const uses = ["llms", "functions", "ttc_strategies", "workflow"] as const;
  const { config, builtins } = await loadConfigFor({ args, flags, terminal, uses, connects: true });
  using interrupt = onInterrupt(
    () => terminal.warn("stopping after this input; Ctrl-C again to stop at once"),
    () => terminal.warn("stopping at once; Ctrl-C again to end the process, whatever still runs"),
  );
  const records = await runOnce(config, {
    builtins,
    inputs,
    seed: wholeNumber(flags, "seed") ?? 0,
    cache: flags.cache !== false,
    drain: interrupt.drain,
    stop: interrupt.stop,
    log: terminal,
    now: Date.now,
  });
  for (const { output, error } of records.runs) {
    if (error) terminal.warn(`${error.code}: ${error.message}`);
    else terminal.print(typeof output === "string" ? output : JSON.stringify(output, null, 2));
  }
  terminal.result({
    outputs: records.runs.map(({ output }) => output),
    errors: records.runs.map(({ error }) => error ?? null),
    steps: records.runs.map(({ steps }) => steps),
    usage: records.usage,
  });
  if (records.runs.length < inputs.length) return EXIT.interrupted;
  return records.runs.some(({ error }) => error) ? EXIT.some_failed : EXIT.ok;
};
