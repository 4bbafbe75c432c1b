import { canonicalJson, sha256 } from "../../lib/hash.ts";
import { readJsonl } from "../../lib/jsonl.ts";

/** Pairs that are looked at: what a configuration drops shows in the first few. */
const MOST_PAIRS = 2000;

/** What rows lose whose prompt is the last message alone. */
export interface DroppedMessages {
  /** Pairs that were looked at. */
  pairs: number;
  /** How many different conversations stand before their last messages; above 1 they tell rows apart. */
  different: number;
}

/** Looks at the first pairs of a `pairs.jsonl`. */
export async function droppedMessages(path: string, signal: AbortSignal): Promise<DroppedMessages> {
  const seen = new Set<string>();
  let pairs = 0;
  for await (const { value } of readJsonl(path, signal)) {
    const { prompt } = value as { prompt?: unknown };
    if (Array.isArray(prompt)) seen.add(sha256(canonicalJson(prompt.slice(0, -1))));
    pairs += 1;
    if (pairs === MOST_PAIRS) break;
  }
  return { pairs, different: seen.size };
}

/** The sentence for who trains on such rows; undefined where nothing is lost that would tell them apart. */
export function describeDropped({ pairs, different }: DroppedMessages, path: string): string | undefined {
  if (different <= 1) return undefined;
  return `use_full_message_history is false, and the messages that rows then lose are ${different} different ones in the ${pairs} pairs of ${path}: the model would not see what told them apart; set it to true`;
}
