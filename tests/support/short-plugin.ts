import { type Component, definePlugin, llmRef, type RunContext, z } from "pairwright";

const options = z.strictObject({ llm: llmRef() });

/** One short question, so that the smallest model has room for it; a longer reply is a better one. */
const short: Component<"workflow", typeof options> = {
  description: "one short question",
  options,
  build({ options, llm }) {
    const model = llm(options.llm);
    return async (question: string, context: RunContext) => {
      const { selected } = await context.choose("short", {
        prompt: [{ role: "user", content: question }],
        candidates: 4,
        // The text alone: a model that was never trained ends no reply by itself, and a reply that is cut makes no pair.
        sample: async (messages, { seed, signal }) => ({ text: (await model.chat(messages, { seed, signal })).text }),
        score: ({ text }) => text.length / 100,
      });
      return selected.text;
    };
  },
};

const nothing = z.strictObject({});

const long: Component<"evaluator", typeof nothing> = {
  description: "the length of the output",
  options: nothing,
  build: () => ({ evaluate: async ({ output }) => ({ score: String(output).length / 100, reasoning: {} }) }),
};

/** A workflow that a model of a few thousand parameters can be asked by. */
export default definePlugin((registry) => {
  registry.workflow("short", short);
  registry.evaluator("long", long);
});
