import { usageError } from "../../lib/errors.ts";
import { isObject } from "../../records/messages-of.ts";
import type { RolloutRecord } from "../../records/rollout.ts";
import { fieldAt } from "./field-at.ts";

/** A weighted sum of parts of a reward: `0.7*correctness + 0.3*format`. */
export type RewardExpression = readonly { weight: number; name: string }[];

const NUMBER = String.raw`\d+(?:\.\d+)?(?:[eE][+-]?\d+)?`;
const TERM = new RegExp(String.raw`\s*([+-])?\s*(?:(${NUMBER})\s*\*\s*)?([A-Za-z_][\w.-]*)\s*`, "y");

/** Reads `0.7*correctness+0.3*format`: names of parts, each with a weight or with none, joined by + or -. */
export function parseRewardExpression(text: string): RewardExpression {
  const terms: { weight: number; name: string }[] = [];
  TERM.lastIndex = 0;
  for (let at = 0; at < text.length; at = TERM.lastIndex) {
    const term = TERM.exec(text);
    const [, sign, weight, name] = term ?? [];
    if (name === undefined || (terms.length > 0 && sign === undefined)) throw badExpression(text, at);
    terms.push({ weight: (sign === "-" ? -1 : 1) * Number(weight ?? 1), name });
  }
  if (terms.length === 0) throw badExpression(text, 0);
  return terms;
}

function badExpression(text: string, at: number) {
  return usageError({
    code: "bad_reward_expression",
    where: "--reward",
    what: `${JSON.stringify(text)} is no sum of rewards, from character ${at + 1} on`,
    fix: "write names with weights, such as 0.7*correctness+0.3*format, or one name",
  });
}

/**
 * The score of a rollout: its reward, or the sum that an expression asks for. `null` is *unscored*: a part that is
 * missing, null, no number or not finite is never taken for 0. Only a part that an expression names may be true or false: 1 or 0.
 * A name is looked for in the reward's own parts, then as a path of fields in the row.
 */
export function scoreOf(rollout: RolloutRecord, row: unknown, expression: RewardExpression | undefined): number | null {
  if (expression === undefined) return finite(rollout.reward);
  let sum = 0;
  for (const { weight, name } of expression) {
    const part = partOf(rollout, row, name);
    const value = typeof part === "boolean" ? Number(part) : finite(part);
    if (value === null) return null;
    sum += weight * value;
  }
  return finite(sum);
}

function partOf({ components, reward }: RolloutRecord, row: unknown, name: string): unknown {
  if (components !== undefined && Object.hasOwn(components, name)) return components[name];
  if (name === "reward") return reward;
  return isObject(row) ? fieldAt(row, name) : undefined;
}

function finite(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
