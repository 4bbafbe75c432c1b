import { messageOf } from "../../lib/errors.ts";

/** Why a pattern cannot be used, in the engine's words, or `undefined` when it can. */
export function regexProblem(
  pattern: string,
  flags: string,
  most_groups = Number.POSITIVE_INFINITY,
): string | undefined {
  try {
    // One more empty alternative makes it match the empty text, and so tell how many groups it has.
    new RegExp(pattern, flags);
    const groups = (new RegExp(`${pattern}|`, flags.replace("g", "")).exec("")?.length ?? 1) - 1;
    return groups > most_groups
      ? `the pattern has ${groups} groups; at most ${most_groups} can be the answer`
      : undefined;
  } catch (error) {
    return messageOf(error, 200);
  }
}
