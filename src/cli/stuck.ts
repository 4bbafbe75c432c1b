import { EXIT, PairwrightError } from "../lib/errors.ts";
import type { Terminal } from "./terminal.ts";

/** What a command is waiting for, in words; asked only when it can no longer come. */
export interface Waiting {
  for?: () => string;
}

/**
 * Until disposed of, ends the process with a named error when nothing is left that could finish the command: a promise
 * that never settles keeps no process alive, and Node would leave with code 13 and no word.
 */
export function endWhenStuck(terminal: Terminal, waiting: Waiting): Disposable {
  const end = () => {
    terminal.status(undefined);
    terminal.error(
      new PairwrightError({
        code: "stuck",
        what: `nothing is left to wait for, and the command has not ended: ${waiting.for?.() ?? "a promise never settles"}`,
        fix: "look for a promise in the plugin that nothing resolves or rejects",
      }),
    );
    process.exit(EXIT.internal);
  };
  process.once("beforeExit", end);
  return { [Symbol.dispose]: () => void process.off("beforeExit", end) };
}
