import { z } from "zod";

/** Tokens and money, summed over calls. `cost` is in US dollars and there only when prices are known. */
export const Usage = z.strictObject({
  prompt_tokens: z.int().nonnegative(),
  completion_tokens: z.int().nonnegative(),
  total_tokens: z.int().nonnegative(),
  cached_tokens: z.int().nonnegative().optional(),
  reasoning_tokens: z.int().nonnegative().optional(),
  /** Model calls answered, those from the response cache included. */
  llm_calls: z.int().nonnegative(),
  /** Of `llm_calls`, how many came from the response cache; their tokens count, their cost does not. */
  cached_calls: z.int().nonnegative().optional(),
  cost: z.number().nonnegative().optional(),
});
export type Usage = z.infer<typeof Usage>;

export function noUsage(): Usage {
  return { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0, llm_calls: 0 };
}

/** Adds `more` into `sum`, in place. A member that neither has stays absent: unknown is not zero. */
export function addUsage(sum: Usage, more: Usage): void {
  sum.prompt_tokens += more.prompt_tokens;
  sum.completion_tokens += more.completion_tokens;
  sum.total_tokens += more.total_tokens;
  sum.llm_calls += more.llm_calls;
  for (const key of ["cached_tokens", "reasoning_tokens", "cached_calls", "cost"] as const) {
    const value = more[key];
    if (value !== undefined) sum[key] = (sum[key] ?? 0) + value;
  }
}
