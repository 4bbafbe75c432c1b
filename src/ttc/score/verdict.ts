import { jsonValuesIn } from "../../lib/json-text.ts";

/** What a judge said, or why that cannot be told. */
export type Verdict = { score: number; reason: string | undefined } | { problem: string };

export interface Scale {
  min: number;
  max: number;
}

const NUMBER = String.raw`[-+]?\d+(?:\.\d+)?`;
// "Score: 7", "**Final score**: 7/10", "score = `8.5`", "score (1-10): 7"
const NAMED = new RegExp(
  String.raw`\bscore\b["'*_\`\s]{0,20}(?:\([^)]{0,20}\))?["'*_\`\s]{0,20}(?:[:=]|is)["'*_\`\s]{0,20}(${NUMBER})(?:\s*/\s*(${NUMBER}))?`,
  "gi",
);
const BARE = new RegExp(String.raw`^(${NUMBER})(?:\s*/\s*(${NUMBER}))?$`);
/** A verdict stands near one end of a reply; more is not looked at. */
const READ_CHARACTERS = 20_000;

/**
 * Reads a judge's reply: the last JSON object with a `score`, else the last `score: 7` or `score: 7/10` of the text,
 * else a text that is nothing but a number. A score outside the scale, or out of another maximum, is no verdict: what it
 * was meant to say cannot be known.
 */
export function readVerdict(reply: string, scale: Scale): Verdict {
  const text = reply.slice(-READ_CHARACTERS);
  const found = fromJson(text) ?? fromText(text);
  if (found === undefined)
    return { problem: text.trim() === "" ? "the judge said nothing" : "the judge gave no score" };
  const { score, of, reason } = found;
  if (of !== undefined && of !== scale.max) {
    return { problem: `the judge's score is out of ${of}, not out of ${scale.max}` };
  }
  if (!(score >= scale.min && score <= scale.max)) {
    return { problem: `the judge's score ${score} is outside ${scale.min} to ${scale.max}` };
  }
  return { score, reason };
}

interface Found {
  score: number;
  of?: number | undefined;
  reason?: string | undefined;
}

function fromJson(text: string): Found | undefined {
  let last: Found | undefined;
  for (const value of jsonValuesIn(text)) {
    if (typeof value !== "object" || value === null || !("score" in value)) continue;
    const found = typeof value.score === "number" ? { score: value.score } : bare(String(value.score));
    if (found === undefined) continue;
    last = found;
    if ("reason" in value && typeof value.reason === "string") last = { ...found, reason: value.reason };
  }
  return last;
}

function fromText(text: string): Found | undefined {
  const match = [...text.matchAll(NAMED)].at(-1);
  if (match) return toFound(match);
  return bare(text);
}

function bare(text: string): Found | undefined {
  const match = BARE.exec(
    text
      .replace(/[*_`"']/g, "")
      .trim()
      .replace(/\.$/, ""),
  );
  return match === null ? undefined : toFound(match);
}

function toFound([, score, of]: RegExpExecArray): Found {
  return { score: Number(score), of: of === undefined ? undefined : Number(of) };
}
