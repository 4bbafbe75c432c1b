import { createHash } from "node:crypto";
import type { HeldOutRule } from "../../config/schema.ts";
import { usageError } from "../../lib/errors.ts";
import { hashFraction, sha256 } from "../../lib/hash.ts";
import type { Example } from "../../registry/workflow.ts";

/** The examples that nothing is collected from, so that a model can be measured on what it has not seen. */
export interface HeldOut {
  count: number;
  /** SHA-256 over their ids. */
  sha256: string;
  has(example: Pick<Example, "id" | "row">): boolean;
}

/** Chooses as a configuration says: see `ofShare` and `byField`. Reads the data set once; keeps no ids. */
export async function chooseHeldOut(examples: AsyncIterable<Example>, rule: HeldOutRule): Promise<HeldOut> {
  return typeof rule === "number" ? ofShare(examples, rule) : byField(examples, rule);
}

/** The examples whose field has the value, as a data set with parts of its own has it. Errors: `config` for none, or all. */
async function byField(
  examples: AsyncIterable<Example>,
  { field, value }: Exclude<HeldOutRule, number>,
): Promise<HeldOut> {
  const has = ({ row }: Pick<Example, "row">) => String(row[field]) === value;
  const digest = createHash("sha256");
  let total = 0;
  let count = 0;
  for await (const example of examples) {
    total += 1;
    if (!has(example)) continue;
    count += 1;
    digest.update(`${example.id}\n`);
  }
  if (count > 0 && count < total) return { count, sha256: digest.digest("hex"), has };
  throw usageError({
    code: "config",
    where: "finetuning.held_out",
    what: `${count === 0 ? "no example has" : `all ${total} examples have`} ${JSON.stringify(value)} as ${field}`,
    fix: "name a field that parts the data set into what is learned from and what is measured on, or give a share",
  });
}

/**
 * Chooses by a hash of each example's id, so that the choice is the same in every round and does not move when examples are
 * added: a `share` of them, at least one, and never all.
 */
async function ofShare(examples: AsyncIterable<Example>, share: number): Promise<HeldOut> {
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
  if (count === 0) return { count: 1, sha256: sha256(`${least.id}\n`), has: ({ id }) => id === least.id };
  if (count === total) {
    return { count: count - 1, sha256: sha256(`all but ${most.id}\n`), has: ({ id }) => id !== most.id };
  }
  return { count, sha256: digest.digest("hex"), has: ({ id }) => placeOf(id) < share };
}

function placeOf(id: string): number {
  return hashFraction("held out", id);
}
