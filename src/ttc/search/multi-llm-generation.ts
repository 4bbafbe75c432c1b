import { z } from "zod";
import { llmRef } from "../../registry/refs.ts";
import type { Component } from "../../registry/registry.ts";

const options = z.strictObject({
  llms: z.array(llmRef()).min(1).describe("the models, in the order of their candidates"),
  candidates_per_llm: z.int().min(1).max(1024).default(1).describe("how many candidates each model gives"),
  temperature: z.number().min(0).max(2).optional().describe("over what each model's own settings say"),
});

/** Candidates from several models. A model that fails costs its own candidates and no other's. */
export const multiLlmGeneration: Component<"search", typeof options> = {
  description: "one candidate, or several, from each of several models",
  options,
  build({ options: { llms, candidates_per_llm, temperature }, llm }) {
    const models = llms.map((name) => llm(name));
    return {
      candidates: models.length * candidates_per_llm,
      async sample(prompt, slot) {
        const model = models[Math.floor(slot.index / candidates_per_llm)];
        // `choose` may ask for fewer slots than there are models, never for more.
        if (!model) throw new RangeError(`slot ${slot.index} has no model`);
        return model.chat(prompt, { seed: slot.seed, sample_index: slot.index, temperature });
      },
    };
  },
};
