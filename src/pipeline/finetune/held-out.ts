import { createHash } from "node:crypto";
import { hashFraction, sha256 } from "../../lib/hash.ts";
import type { Example } from "../../registry/workflow.ts";

/** The examples that nothing is collected from, so that a model can be measured on what it has not seen. */
export interface HeldOut {
  count: number;
  /** SHA-256 over their ids. */
  sha256: string;
  has(id: string): boolean;
}

/**
 * Chooses by a hash of each example's id, so that the choice is the same in every round and does not move when examples are
 * added: a `share` of them, at least one, and never all. Reads the data set once; keeps no ids.
 */
export async function chooseHeldOut(examples: AsyncIterable<Example>, share: number): Promise<HeldOut> {
  const digest = createHash("sha256");
  let total = 0;
  let count = 0;
  let least = { place: Number.POSITIVE_INFINITY, id: "" };
  let most = { place: -1, id: "" };
  for await (const { id } of examples) {
    const place = placeOf(id);
    total += 1;
    if (place < least.place) least = { place, id };
    if (place > most.place) most = { place, id };
    if (place >= share) continue;
    count += 1;
    digest.update(`${id}\n`);
  }
  if (share === 0 || total < 2) return { count: 0, sha256: sha256(""), has: () => false };
  if (count === 0) return { count: 1, sha256: sha256(`${least.id}\n`), has: (id) => id === least.id };
  if (count === total) {
    return { count: count - 1, sha256: sha256(`all but ${most.id}\n`), has: (id) => id !== most.id };
  }
  return { count, sha256: digest.digest("hex"), has: (id) => placeOf(id) < share };
}

function placeOf(id: string): number {
  return hashFraction("held out", id);
}
