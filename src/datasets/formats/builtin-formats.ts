import { pairwright } from "./pairwright.ts";
import { type DescribedFormat, TRAINER_FORMATS } from "./trainer-formats.ts";

/** Our own formats by name, in the order in which they are asked whose a row is. */
export const BUILTIN_FORMATS: Readonly<Record<string, DescribedFormat>> = {
  pairwright: { description: "our own pairs.jsonl: all there is of a pair", format: pairwright },
  ...TRAINER_FORMATS,
};
