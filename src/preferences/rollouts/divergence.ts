import { canonicalJson } from "../../lib/hash.ts";
import type { Message } from "../../records/message.ts";
import { emptiness } from "./completion.ts";

/** What two rollouts of one prompt have in common, and the turn in which they part. */
export interface Divergence {
  /** As the chosen one has it. */
  shared: Message[];
  chosen: Message[];
  rejected: Message[];
}

/**
 * Why two rollouts have no turn in which they part: `diverges_in_environment` (a result of a tool, or what a user said,
 * differs first: then neither turn was worse, the worlds were other ones), `no_divergence` (one is the beginning of the
 * other, or they say the same), and, of the turn itself, `empty` or `only_reasoning`.
 */
export type NoDivergence = "diverges_in_environment" | "no_divergence" | "empty" | "only_reasoning";

/**
 * The first assistant turn in which two rollouts differ. What counts is what was said and called: thoughts differ
 * nearly always, and ids of calls are drawn anew for each.
 */
export function firstDivergence(chosen: readonly Message[], rejected: readonly Message[]): Divergence | NoDivergence {
  const ours = visibleTexts(chosen);
  const theirs = visibleTexts(rejected);
  let place = 0;
  while (place < ours.length && place < theirs.length && ours[place] === theirs[place]) place += 1;
  const better = chosen[place];
  const worse = rejected[place];
  if (better === undefined || worse === undefined) return "no_divergence";
  if (better.role !== "assistant" || worse.role !== "assistant") return "diverges_in_environment";
  const none = emptiness([better]) ?? emptiness([worse]);
  if (none !== undefined) return none;
  return { shared: chosen.slice(0, place), chosen: [better], rejected: [worse] };
}

function visibleTexts(messages: readonly Message[]): string[] {
  const ids = new Map<string, number>();
  return messages.map(({ role, content, name, tool_calls, tool_call_id }) => {
    const calls = tool_calls?.map(({ id, function: { name: called, arguments: given } }) => {
      if (id !== undefined && !ids.has(id)) ids.set(id, ids.size);
      return [called, sameArguments(given)];
    });
    const answered = tool_call_id === undefined ? undefined : (ids.get(tool_call_id) ?? tool_call_id);
    return canonicalJson({ role, content, name, calls, answered });
  });
}

/** Arguments that say the same are the same, however they were written. */
function sameArguments(text: string): string {
  try {
    return canonicalJson(JSON.parse(text));
  } catch {
    return text;
  }
}
