import type { Usage } from "../records/usage.ts";
import type { Price } from "./options.ts";

/**
 * What one answered call used. A server that says nothing leaves the token counts at 0, since the record has no word for
 * unknown, and the cost absent, which is how to tell.
 */
export function usageOf(wired: unknown, price: Price | undefined): Usage {
  const told = objectOr(wired);
  const prompt_tokens = count(told.prompt_tokens);
  const completion_tokens = count(told.completion_tokens);
  const usage: Usage = {
    prompt_tokens: prompt_tokens ?? 0,
    completion_tokens: completion_tokens ?? 0,
    total_tokens: count(told.total_tokens) ?? (prompt_tokens ?? 0) + (completion_tokens ?? 0),
    llm_calls: 1,
  };
  const cached = count(objectOr(told.prompt_tokens_details).cached_tokens);
  if (cached !== undefined) usage.cached_tokens = cached;
  const reasoning = count(objectOr(told.completion_tokens_details).reasoning_tokens);
  if (reasoning !== undefined) usage.reasoning_tokens = reasoning;
  if (price !== undefined && prompt_tokens !== undefined && completion_tokens !== undefined) {
    usage.cost = costOf(usage, price);
  }
  return usage;
}

/** In US dollars. */
function costOf({ prompt_tokens, completion_tokens, cached_tokens = 0 }: Usage, price: Price): number {
  const cached = Math.min(cached_tokens, prompt_tokens);
  const prompt = (prompt_tokens - cached) * price.prompt + cached * (price.cached ?? price.prompt);
  return (prompt + completion_tokens * price.completion) / 1e6;
}

const NOTHING: Record<string, unknown> = {};

function objectOr(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : NOTHING;
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? Math.round(value) : undefined;
}
