import { definePlugin, llmRef, z } from "pairwright";

export default definePlugin((registry) => {
  registry.workflow("answer_well", {
    options: z.strictObject({ llm: llmRef(), num_candidates: z.int().min(1).default(4) }),
    build: ({ options, llm }) => {
      const model = llm(options.llm);
      return async (question: string, context) => {
        const turn = await context.choose("answer", {
          prompt: [{ role: "user", content: question }],
          candidates: options.num_candidates,
          sample: (prompt, candidate) => model.chat(prompt, { seed: candidate.seed }),
          score: (candidate) => (candidate.text.includes("because") ? 1 : 0),
        });
        return turn.selected.text;
      };
    },
  });
});
