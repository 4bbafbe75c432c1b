import { usageError } from "../lib/errors.ts";

/** A whole number of at least `least`, or undefined when the flag was not given. */
export function wholeNumber(flags: Record<string, unknown>, name: string, least = 0): number | undefined {
  const value = number(flags, name, least);
  if (value !== undefined && !Number.isInteger(value)) throw badFlag(name, flags[name], "a whole number");
  return value;
}

/** A number of at least `least`, or undefined when the flag was not given. */
export function number(flags: Record<string, unknown>, name: string, least = 0): number | undefined {
  const given = flags[name];
  if (given === undefined) return undefined;
  const value = typeof given === "string" && given.trim() !== "" ? Number(given) : Number.NaN;
  if (!Number.isFinite(value) || value < least)
    throw badFlag(name, given, Number.isFinite(least) ? `a number of at least ${least}` : "a number");
  return value;
}

/** One of a few words, or undefined when the flag was not given. */
export function oneOf<T extends string>(
  flags: Record<string, unknown>,
  name: string,
  words: readonly T[],
): T | undefined {
  const given = flags[name];
  if (given === undefined) return undefined;
  const word = words.find((known) => known === given);
  if (word === undefined) throw badFlag(name, given, `one of ${words.join(", ")}`);
  return word;
}

/** `I/N`, both from 1. */
export function shardOf(flags: Record<string, unknown>): { index: number; of: number } | undefined {
  const given = flags.shard;
  if (given === undefined) return undefined;
  const match = /^(\d+)\/(\d+)$/.exec(String(given));
  const [index, of] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || index < 1 || index > of) throw badFlag("shard", given, "I/N with I from 1 to N");
  return { index, of };
}

function badFlag(name: string, given: unknown, wanted: string) {
  const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return usageError({
    code: "usage",
    where: flag,
    what: `${JSON.stringify(given)} is not ${wanted}`,
    fix: `give ${wanted}`,
  });
}
