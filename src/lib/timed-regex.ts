import { createContext, Script } from "node:vm";
import { codeOf, PairwrightError } from "./errors.ts";

/** Long enough for any honest pattern, short enough not to stop the program. */
const LIMIT_MS = 1000;

/**
 * A pattern as a function from a text to its matches: all of them with the flag `g`, else the first. With a time limit:
 * a pattern with several repetitions, such as `(a+)+$`, can take years on a text of fifty characters, and nothing else in
 * the process would run meanwhile. The guard costs about 0.1 ms a call; patterns with at most one repetition, which
 * cannot blow up, go without.
 */
export function timedRegex(regex: RegExp, limit_ms = LIMIT_MS): (text: string) => RegExpExecArray[] {
  const repetitions = regex.source.match(/[*+{]|\\\d|\\k/g) ?? [];
  if (repetitions.length <= 1) return (text) => matchesOf(regex, text);

  const scope = createContext({ find: (text: string) => matchesOf(regex, text), text: "" });
  const script = new Script("find(text)");
  return (text) => {
    scope.text = text;
    try {
      return script.runInContext(scope, { timeout: limit_ms }) as RegExpExecArray[];
    } catch (cause) {
      if (codeOf(cause) !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw cause;
      throw new PairwrightError({
        code: "regex_timeout",
        what: `the pattern did not come to an end within ${limit_ms} ms on a text of ${text.length} characters`,
        fix: "write the pattern without repetitions inside repetitions, such as (a+)+",
      });
    } finally {
      scope.text = "";
    }
  };
}

function matchesOf(regex: RegExp, text: string): RegExpExecArray[] {
  // matchAll works on a copy of the pattern, so no place is remembered from one text to the next.
  if (regex.global) return [...text.matchAll(regex)];
  const match = regex.exec(text);
  return match === null ? [] : [match];
}
