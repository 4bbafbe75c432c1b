import { type Component, llmRef, type Message, PairwrightError, scorerRef, selectorRef, z } from "pairwright";
import { attempt } from "./attempt.ts";
import { readFacts } from "./facts.ts";
import { agentTools } from "./tools.ts";

const SYSTEM_PROMPT = `You solve word problems. Do not work sums out in your head: use the tool calculate. Prices, sizes and unusual
units that the problem does not tell are found with the tool look_up, one thing at a time.
When you know the result, call no tool and end with one line of this form, the number without a unit:
Answer: 12.5`;

const options = z.strictObject({
  llm: llmRef().describe("the model that solves the problems; it must be able to call tools"),
  scorer: scorerRef().describe("judges each attempt"),
  selector: selectorRef().optional().describe("picks the attempt to answer with; the best score unless told"),
  num_candidates: z.int().min(1).default(4).describe("attempts at each problem"),
  max_steps: z.int().min(1).default(8).describe("calls of the model in one attempt, the one that answers included"),
  temperature: z.number().min(0).max(2).optional().describe("over what the model's own settings say"),
  facts_file: z.string().min(1).describe("the table that look_up reads: [{name, value, unit}, …]"),
  system_prompt: z.string().default(SYSTEM_PROMPT).describe("what the model is told before the problem"),
});

/** Solves a word problem with tools: one decision, whose candidates are whole attempts with all their tool calls. */
export const toolAgent: Component<"workflow", typeof options> = {
  description: "a word problem, solved by a model that calls a calculator and a look-up",
  options,
  build({ options, llm, scorer, selector, path }) {
    const { max_steps, temperature, system_prompt } = options;
    const model = llm(options.llm);
    const score = scorer(options.scorer);
    const select = options.selector === undefined ? undefined : selector(options.selector);
    const tools = agentTools(readFacts(path(options.facts_file)));

    return async (problem: unknown, context): Promise<string> => {
      const { selected } = await context.choose("solve", {
        prompt: [{ role: "system", content: system_prompt }, problemMessage(problem)],
        tools: tools.map(({ definition }) => definition),
        candidates: options.num_candidates,
        sample: async (prompt, { index, seed, signal }) => {
          const messages: Message[] = [];
          // A span of its own, so that one can tell whose calls the steps inside are: attempts run side by side.
          const outcome = await context.span("TASK", "attempt", { candidate_index: index, seed }, () =>
            attempt(prompt, messages, { model, tools, max_steps, temperature, seed, signal, span: context.span }),
          );
          const { text, finish_reason, ...metadata } = outcome;
          const reason = metadata.answered ? undefined : `no answer within ${max_steps} calls of the model`;
          return { messages, text, finish_reason, reason, metadata };
        },
        score,
        select,
      });
      return selected.text;
    };
  },
};

function problemMessage(problem: unknown): Message {
  if (typeof problem === "string" && problem.trim() !== "") return { role: "user", content: problem };
  throw new PairwrightError({
    code: "bad_problem",
    where: "tool_agent",
    what: "the example's question is not a text",
    fix: "name the field that holds the problem: eval.general.dataset.structure.question_key",
    exit_code: 2,
  });
}
