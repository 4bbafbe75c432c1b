import { readFileSync } from "node:fs";
import { definePlugin, z } from "pairwright";
import { scriptedModel } from "pairwright/testing";
import { readFacts } from "./facts.ts";
import { type Problem, scriptedAgent } from "./scripted-agent.ts";

const options = z.strictObject({
  problems_file: z.string().min(1).describe("the problems with their workings, one a line"),
  facts_file: z.string().min(1).describe("the table that the workings name"),
});

/** The model type `scripted_tool_caller`: a script instead of a model, so that the example runs where there is none. */
export default definePlugin((registry) => {
  registry.llm("scripted_tool_caller", {
    description: "a script that calls tools as a model would; not a model",
    options,
    build({ options, name, path }) {
      const reply = scriptedAgent(readProblems(path(options.problems_file)), readFacts(path(options.facts_file)));
      return scriptedModel((messages, { seed }) => reply(messages, seed), { name });
    },
  });
});

/** The rows of the data, one a line. */
export function readProblems(file: string): Problem[] {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Problem);
}
