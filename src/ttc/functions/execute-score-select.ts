import { z } from "zod";
import type { Message } from "../../records/message.ts";
import { functionRef, scorerRef, selectorRef } from "../../registry/refs.ts";
import type { Component } from "../../registry/registry.ts";
import { functionSample } from "../search/function-sample.ts";

const options = z.strictObject({
  augmented_fn: functionRef().describe("the function to run several times"),
  num_executions: z.int().min(1).max(1024).default(3).describe("how many times, all in parallel"),
  scorer: scorerRef().optional().describe("judges each result; without one the first result is taken"),
  selector: selectorRef().describe("picks the result to go on with"),
});

/**
 * Runs a function several times on one input, scores the results and returns the one selected. Each run is a candidate
 * of a turn, so that preference pairs come out of it; a run that fails costs that candidate only.
 */
export const executeScoreSelect: Component<"function", typeof options> = {
  description: "run a function k times, score the results, select one",
  options,
  build(args) {
    const { augmented_fn, num_executions, scorer, selector } = args.options;
    const sample = functionSample(args.function(augmented_fn));
    const score = scorer === undefined ? undefined : args.scorer(scorer);
    const select = args.selector(selector);
    return async (input, context) => {
      const turn = await context.choose(args.name, {
        prompt: asPrompt(input),
        input,
        candidates: num_executions,
        sample,
        score,
        select,
      });
      return turn.selected.value ?? turn.selected.text;
    };
  },
};

/** Messages as they are, anything else as one user message. */
function asPrompt(input: unknown): Message[] {
  if (Array.isArray(input) && input.length > 0 && input.every(isMessage)) return input;
  return [{ role: "user", content: typeof input === "string" ? input : JSON.stringify(input) }];
}

function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && "role" in value && "content" in value;
}
