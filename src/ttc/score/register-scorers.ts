import type { Component, Registry } from "../../registry/registry.ts";
import { exactMatch } from "./exact-match.ts";
import { jsonSchema } from "./json-schema.ts";
import { llmJudge } from "./llm-judge.ts";
import { regex } from "./regex.ts";

/** The scorers that know nothing of any one task, by type; each can serve as an evaluator too. */
export const SCORERS: Readonly<Record<string, Component<"scorer">>> = {
  exact_match: exactMatch,
  regex,
  json_schema: jsonSchema,
  llm_judge: llmJudge,
};

/** Adds the scorers that come with the program. */
export function registerScorers(registry: Registry): void {
  for (const [type, component] of Object.entries(SCORERS)) registry.scorer(type, component);
}
