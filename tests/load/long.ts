/** Whether the long forms of these tests are asked for: `npm run check -- --long`. */
export const LONG = process.env.PAIRWRIGHT_LONG === "1";

/** The size of a test: its short form, or its long one. */
export function size<T>(short: T, long: T): T {
  return LONG ? long : short;
}
