import { z } from "zod";
import { usageError } from "../../lib/errors.ts";
import { functionRef, llmRef } from "../../registry/refs.ts";
import type { Component } from "../../registry/registry.ts";
import { chatTogether } from "./chat-together.ts";
import { functionSample } from "./function-sample.ts";

const options = z.strictObject({
  llm: llmRef().optional().describe("the model to sample; give this or `function`"),
  function: functionRef().optional().describe("the function to call; give this or `llm`"),
  num_candidates: z.int().min(1).max(1024).default(3).describe("how many candidates to sample at each turn"),
  temperature: z.number().min(0).max(2).optional().describe("for `llm`: over what the model's own settings say"),
  together: z
    .boolean()
    .default(false)
    .describe("for `llm`: one request for all candidates of a turn, for servers that take `n`; if it fails, all do"),
});

/** `n` samples of one model or one function, all in parallel, each with its own seed. */
export const multiCandidateSearch: Component<"search", typeof options> = {
  description: "n candidates from one model or one function",
  options,
  build({ options: { llm, function: functionName, num_candidates, temperature, together }, name, ...args }) {
    if ((llm === undefined) === (functionName === undefined)) {
      throw usageError({
        code: "config",
        where: `ttc_strategies.${name}`,
        what: "give either `llm` or `function`, one of them",
        fix: "name the model or the function that candidates are sampled from",
      });
    }
    if (functionName !== undefined) {
      return { candidates: num_candidates, sample: functionSample(args.function(functionName)) };
    }
    const model = args.llm(llm ?? "");
    return {
      candidates: num_candidates,
      sample: (prompt, slot) => model.chat(prompt, { seed: slot.seed, sample_index: slot.index, temperature }),
      ...(together && {
        together: {
          sizes: [num_candidates],
          sample: (prompt, slots) => chatTogether(model, prompt, slots, { temperature }),
        },
      }),
    };
  },
};
