import type { TrainingFiles } from "../../registry/training-backend.ts";
import type { Counted, RowCensus } from "./row-census.ts";

/**
 * Where the user has rows that a finding names: their file, and the lines in it of these rows, which count from 1. A launch
 * writes its files anew, in a folder that is gone when it is refused.
 */
export type RowPlaces = (
  side: keyof TrainingFiles,
  numbers: readonly number[],
) => Promise<{ file: string; lines: number[] }>;

/** Rows that stand where the user put them. */
export function asTheyStand(files: TrainingFiles): RowPlaces {
  return async (side, numbers) => ({ file: files[side].path, lines: [...numbers] });
}

/** A census whose numbers of rows are lines of the file that the user has. */
export async function withPlaces(census: RowCensus, places: RowPlaces): Promise<RowCensus> {
  const { usable: _, ...rest } = census;
  const counted: Counted[] = [rest.prompt_too_long, rest.side_too_long, rest.identical, rest.several_messages];
  counted.push(...rest.dropped.values());
  const numbers = [...new Set(counted.flatMap((each) => each.numbers))].sort((a, b) => a - b);
  if (numbers.length === 0) return census;
  const { file, lines } = await places(census.side, numbers);
  const lineOf = new Map(numbers.map((number, at) => [number, lines[at] ?? number]));
  for (const each of counted) each.numbers = each.numbers.map((number) => lineOf.get(number) ?? number);
  return { ...census, file };
}
