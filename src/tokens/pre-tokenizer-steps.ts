import { usageError } from "../lib/errors.ts";
import type { Step } from "./read-tokenizer-files.ts";

/** GPT-2's words, as the `ByteLevel` step splits unless told not to. */
const GPT2_WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const PUNCTUATION = String.raw`[!-/:-@\[-\x60{-~\p{P}]`;

/** `\w` of Rust's `regex` (Unicode's UTS 18), inside a class. */
const WORD = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D`;

/**
 * The pre-tokenizer of a `tokenizer.json` as one list of steps, each written so that `@huggingface/tokenizers` 0.2 does
 * what the reference (`tokenizers` in Rust) does. That library takes `\w`, `\d` and `\s` for ASCII in `Whitespace`,
 * `Digits` and `ByteLevel`, joins punctuation, does not split at `Metaspace`, and takes every behaviour of `Split` for
 * `Isolated`: all these become a `Split` by a pattern, which it translates with care. `path` is for the error
 * `tokenizer_unsupported`.
 */
export function preTokenizerSteps(step: Step | null, path: string): Step[] {
  if (step === null) return [];
  switch (step.type) {
    case "Sequence":
      return (step.pretokenizers ?? []).flatMap((inner) => preTokenizerSteps(inner, path));
    case "ByteLevel":
      return byteLevel(step);
    case "Digits":
      return [match(step.individual_digits === true ? String.raw`\p{N}|[^\p{N}]+` : String.raw`\p{N}+|[^\p{N}]+`)];
    case "Whitespace":
      return [match(`[${WORD}]+|[^${WORD}\\s]+`)];
    case "WhitespaceSplit":
      return [match(String.raw`\S+`)];
    case "Punctuation":
      return [split(PUNCTUATION, typeof step.behavior === "string" ? step.behavior : "Isolated", false, path)];
    case "CharDelimiterSplit":
      return [split(escapePattern(String(step.delimiter)), "Removed", false, path)];
    case "Split":
      return [split(patternOf(step, path), String(step.behavior), step.invert === true, path)];
    case "Metaspace":
      return metaspace(step);
    default:
      return [step];
  }
}

function byteLevel(step: Step): Step[] {
  // A prefix is added to each piece before it is split: that the library does in one step only.
  if (step.add_prefix_space === true || step.use_regex === false) return [step];
  // The pattern leaves nothing out, so its matches are the pieces.
  return [match(GPT2_WORDS), { ...step, use_regex: false }];
}

function metaspace(step: Step): Step[] {
  const replacement = typeof step.replacement === "string" ? step.replacement : "▁";
  const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? "never" : "always");
  const mark = escapePattern(replacement);
  const spaces: Step = { ...step, replacement, prepend_scheme: scheme };
  return step.split === false ? [spaces] : [spaces, match(`${mark}(?:(?!${mark})${ANY})*|(?:(?!${mark})${ANY})+`)];
}

const ANY = String.raw`(?:.|\n)`;

/** A step that gives what the pattern matches and drops the rest. */
function match(pattern: string): Step {
  return { type: "Split", pattern: { Regex: pattern }, behavior: "Removed", invert: true };
}

/** A `Split` of the reference. With `invert`, what the pattern matches are the pieces, and what lies between is split off. */
function split(pattern: string, behavior: string, invert: boolean, path: string): Step {
  const other = `(?:(?!${pattern})${ANY})`;
  switch (behavior) {
    case "Isolated":
      return { type: "Split", pattern: { Regex: pattern }, behavior, invert: false };
    case "Removed":
      return { type: "Split", pattern: { Regex: pattern }, behavior, invert };
    case "Contiguous":
      if (!invert) return match(`(?:${pattern})+|${other}+`);
      break;
    case "MergedWithPrevious":
      if (!invert) return match(`${other}*(?:${pattern})|${other}+`);
      break;
    case "MergedWithNext":
      if (!invert) return match(`(?:${pattern})${other}*|${other}+`);
      break;
  }
  throw unsupported(path, `a Split step with behavior ${JSON.stringify(behavior)}${invert ? " and invert" : ""}`);
}

function patternOf(step: Step, path: string): string {
  const pattern = step.pattern;
  if (typeof pattern === "object" && pattern !== null) {
    if ("Regex" in pattern && typeof pattern.Regex === "string") return pattern.Regex;
    if ("String" in pattern && typeof pattern.String === "string") return escapePattern(pattern.String);
  }
  throw unsupported(path, "a Split step without a pattern");
}

/** A text as a pattern that matches just it. */
export function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** A tokenizer that asks for what is not built. */
export function unsupported(path: string, what: string, cause?: unknown) {
  return usageError({
    code: "tokenizer_unsupported",
    where: path,
    what: `the tokenizer has ${what}, which is not built`,
    fix: "use a model whose tokenizer is byte-level BPE, BPE with byte fallback, Unigram or WordLevel",
    cause,
  });
}
