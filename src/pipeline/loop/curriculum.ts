import type { Finetuning } from "../../config/schema.ts";
import { hashFraction } from "../../lib/hash.ts";
import type { Signal } from "./example-signals.ts";

/** What `curriculum_learning` says, at one round. */
export interface Curriculum {
  /** The share of the examples that is trained on. */
  percentile: number;
  min_reward_diff: number;
  sort_ascending: boolean;
  /** A share of these, by chance; null is all of them. */
  random_subsample: number | null;
}

/** The settings at a round (from 1), as the toolkit has them at an epoch: the share grows every `expansion_interval` rounds. */
export function curriculumAt(round: number, settings: Finetuning["curriculum_learning"]): Curriculum | undefined {
  const { enabled, initial_percentile, increment_percentile, expansion_interval } = settings;
  if (!enabled) return undefined;
  const { min_reward_diff, sort_ascending, random_subsample = null } = settings;
  const steps = Math.floor((round - 1) / expansion_interval);
  const percentile = Math.min(1, initial_percentile + steps * increment_percentile);
  return { percentile, min_reward_diff, sort_ascending, random_subsample };
}

/**
 * The examples to train on. Those whose scores differ by less than `min_reward_diff` teach nothing and are left out; of the
 * others the first share by mean score, the highest first unless told (what the model does well already is easy), at least
 * one. `seed` decides the subsample.
 */
export function chooseByCurriculum(
  signals: ReadonlyMap<string, Signal>,
  { percentile, min_reward_diff, sort_ascending, random_subsample }: Curriculum,
  seed: number,
): Set<string> {
  const direction = sort_ascending ? 1 : -1;
  const telling = [...signals]
    .filter(([, { spread }]) => spread >= min_reward_diff)
    .sort(([a, one], [b, other]) => direction * (one.mean - other.mean) || (a < b ? -1 : 1))
    .map(([id]) => id);
  const first = telling.slice(0, share(telling.length, percentile));
  if (random_subsample === null) return new Set(first);
  const drawn = first
    .map((id) => ({ id, place: hashFraction("curriculum", seed, id) }))
    .sort((a, b) => a.place - b.place);
  return new Set(drawn.slice(0, share(first.length, random_subsample)).map(({ id }) => id));
}

function share(count: number, part: number): number {
  return Math.min(count, Math.max(1, Math.ceil(count * part)));
}
