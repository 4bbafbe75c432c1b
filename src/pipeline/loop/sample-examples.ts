import { createHash } from "node:crypto";
import type { HeldOutRule } from "../../config/schema.ts";
import { hashFraction } from "../../lib/hash.ts";
import { chooseHeldOut } from "../finetune/held-out.ts";
import type { Parts } from "../parts.ts";
import { exampleSignals } from "./example-signals.ts";

export interface SampleOptions {
  /** Of the examples that nothing is measured on. */
  share: number;
  held_out: HeldOutRule;
  /** Folders of the rounds before, the oldest first. */
  earlier: readonly string[];
  /** Decides among equals. */
  seed: number;
  stop: AbortSignal;
}

/**
 * The same parts with a share of the examples to collect from: first those that no round has played, then those whose
 * candidates differed most in score, for where all of them are alike nothing can be learned. The examples that models are
 * measured on are all still there. Which were chosen is part of what went in.
 */
export async function sampleExamples(
  parts: Parts,
  { share, held_out, earlier, seed, stop }: SampleOptions,
): Promise<Parts> {
  if (share >= 1 || earlier.length === 0) return parts;
  const held = await chooseHeldOut(parts.examples(), held_out);
  const { step_name } = parts.pairs.builder;
  const signals = await exampleSignals(earlier, { step_name, signal: stop });
  const ranked: { id: string; spread: number; place: number }[] = [];
  for await (const example of parts.examples()) {
    if (held.has(example)) continue;
    const { id } = example;
    const spread = signals.get(id)?.spread ?? Number.POSITIVE_INFINITY;
    ranked.push({ id, spread, place: hashFraction("sample", seed, id) });
  }
  ranked.sort((a, b) => (a.spread === b.spread ? a.place - b.place : b.spread - a.spread));
  const chosen = new Set(ranked.slice(0, Math.max(1, Math.ceil(ranked.length * share))).map(({ id }) => id));
  const sampled = createHash("sha256")
    .update([...chosen].sort().join("\n"))
    .digest("hex");
  return {
    ...parts,
    async *examples() {
      for await (const example of parts.examples()) if (held.has(example) || chosen.has(example.id)) yield example;
    },
    inputs: async () => ({ ...(await parts.inputs()), sampled }),
  };
}
