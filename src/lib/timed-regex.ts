import { createContext, Script } from "node:vm";
import { codeOf, PairwrightError } from "./errors.ts";

/** Long enough for any honest pattern, short enough not to stop the program. */
const LIMIT_MS = 1000;

/** On a longer text even the square of its length is long: `\d+x` tries every place, and from each to the end. */
const SHORT_TEXT = 10_000;

/**
 * A pattern as a function from a text to its matches: all of them with the flag `g`, else the first. With a time limit:
 * a pattern such as `(a+)+$` or `^(\w|\d)+$` can take years on a text of fifty characters, and nothing else in the
 * process would run meanwhile. The guard costs about 0.1 ms a call; patterns that are plainly harmless go without on
 * texts of up to 10,000 characters.
 */
export function timedRegex(regex: RegExp, limit_ms = LIMIT_MS): (text: string) => RegExpExecArray[] {
  const guarded = guardedFind(regex, limit_ms);
  if (!isPlainRegex(regex)) return guarded;
  return (text) => (text.length <= SHORT_TEXT ? matchesOf(regex, text) : guarded(text));
}

/**
 * Whether there is at most one choice to try anew at each place of a text: one repetition or optional part, of a single
 * character, and no alternatives inside a group. What cannot be told by this short look is not plain.
 */
export function isPlainRegex({ source, flags }: RegExp): boolean {
  // Only the flag v has sets inside sets.
  if (flags.includes("v") || /\\[\dk]/.test(source.replaceAll("\\\\", "x"))) return false;
  const shape = source
    // With the flag u, \p{L} and \u{61} are single characters, and their braces no repetition.
    .replace(flags.includes("u") ? /\\[pPu]\{[^}]*\}/g : /$^/, "x")
    .replace(/\\./gs, "x")
    .replace(/\[[^\]]*\]/g, "x")
    .replace(/\(\?(?:[:=!]|<[=!]|<[^>]*>)/g, "(");
  if (/\)[*+?{]/.test(shape) || (shape.includes("(") && shape.includes("|"))) return false;
  return (shape.match(/[*+?{]\??/g) ?? []).length <= 1;
}

function guardedFind(regex: RegExp, limit_ms: number): (text: string) => RegExpExecArray[] {
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
        fix: "write the pattern without repetitions of what can match in more than one way, such as (a+)+ or (a|a)+",
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
