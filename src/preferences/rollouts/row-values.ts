import { canonicalJson } from "../../lib/hash.ts";
import { isObject } from "../../records/messages-of.ts";
import type { RolloutState } from "../../records/rollout.ts";

type Row = Record<string, unknown>;

/** The value of the first of these fields that is there and not null. */
export function firstOf(row: Row, names: readonly string[]): unknown {
  const name = names.find((one) => row[one] !== undefined && row[one] !== null);
  return name === undefined ? undefined : row[name];
}

/** A task's name, of the fields of a row that name one: `undefined` when there is none. */
export function taskIn(row: Row, names: readonly string[]): string | undefined {
  const there = names.filter((name) => row[name] !== undefined && row[name] !== null);
  return there.length === 0 ? undefined : canonicalJson(there.map((name) => [name, row[name]]));
}

/** What a reason to stop says of a rollout. */
export function stateOfReason(reason: unknown, error: unknown): RolloutState {
  if (error !== undefined && error !== null && error !== false && error !== "") return "errored";
  if (reason === "content_filter") return "errored";
  return reason === "length" || reason === "max_tokens" ? "truncated" : "completed";
}

/** The first of these fields that is an object. */
export function objectIn(row: Row, names: readonly string[]): Row | undefined {
  for (const name of names) {
    const value = row[name];
    if (isObject(value)) return value;
  }
  return undefined;
}
