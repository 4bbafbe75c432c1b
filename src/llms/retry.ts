import type { Clock } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";

/** The longest wait that a server's Retry-After may ask for, in ms. */
export const RETRY_AFTER_CAP = 60_000;

const FIRST = 250;
const LONGEST = 30_000;

/** The wait before try `retry` (from 0 for the first further one): a random part of 0.25 s, 0.5 s, 1 s … up to 30 s. */
export function backoff(retry: number, random: Random): number {
  return random() * Math.min(LONGEST, FIRST * 2 ** retry);
}

/** What the server asks to wait, in ms: `retry-after-ms`, or `Retry-After` in seconds or as a date. Never negative. */
export function retryAfter(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  clock: Pick<Clock, "now">,
): number | undefined {
  const exact = headers["retry-after-ms"];
  if (typeof exact === "string" && /^\d+(\.\d+)?$/.test(exact.trim())) return Number(exact);
  const told = headers["retry-after"];
  if (typeof told !== "string") return undefined;
  if (/^\d+(\.\d+)?$/.test(told.trim())) return Number(told) * 1000;
  // A date has letters; without them the parser would take almost any number for a year.
  const date = /[a-z]/i.test(told) ? Date.parse(told) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.now());
}
