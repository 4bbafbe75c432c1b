import { PairwrightError, type Tool, z } from "pairwright";
import { calculate, formatNumber } from "./calculator.ts";
import { type Facts, lookUp } from "./facts.ts";

/** A tool as the model is told of it, and what it does; it throws a PairwrightError when it is used wrongly. */
export interface AgentTool {
  definition: Tool;
  run(given: unknown): string;
}

/** What a tool said; `failed` when that is an error. */
export interface ToolResult {
  output: string;
  failed: boolean;
}

/** The two tools of the agent. */
export function agentTools(facts: Facts): AgentTool[] {
  return [
    tool({
      name: "calculate",
      description: "Works out a sum of numbers, exactly. Use it for all arithmetic.",
      parameters: z.object({ expression: z.string().describe("for example (2 + 3.5) * -4 / 7") }),
      run: ({ expression }) => formatNumber(calculate(expression)),
    }),
    tool({
      name: "look_up",
      description: "Tells a price, a size or the length or weight of a unit, which you cannot know otherwise.",
      parameters: z.object({ name: z.string().describe("the thing, for example: rye loaf") }),
      run: ({ name }) => lookUp(facts, name),
    }),
  ];
}

/** Does what a model's call asks for. Whatever is wrong with the call is told to the model, not thrown. */
export function callTool(tools: readonly AgentTool[], name: string, argumentsText: string): ToolResult {
  const called = tools.find(({ definition }) => definition.function.name === name);
  if (called === undefined) {
    const names = tools.map(({ definition }) => definition.function.name).join(" and ");
    return failure(`there is no tool "${name}"; there are ${names}`);
  }
  let given: unknown;
  try {
    given = JSON.parse(argumentsText);
  } catch {
    return failure("the arguments are not JSON");
  }
  try {
    return { output: called.run(given), failed: false };
  } catch (error) {
    if (PairwrightError.is(error)) return failure(error.what);
    throw error;
  }
}

function failure(what: string): ToolResult {
  return { output: `error: ${what}`, failed: true };
}

function tool<S extends z.ZodObject>(of: {
  name: string;
  description: string;
  parameters: S;
  run: (given: z.output<S>) => string;
}): AgentTool {
  const { $schema: _, ...parameters } = z.toJSONSchema(of.parameters);
  return {
    definition: { type: "function", function: { name: of.name, description: of.description, parameters } },
    run(given) {
      const parsed = of.parameters.safeParse(given);
      if (parsed.success) return of.run(parsed.data);
      const [issue] = parsed.error.issues;
      const place = issue === undefined || issue.path.length === 0 ? "the arguments" : `"${issue.path.join(".")}"`;
      throw new PairwrightError({ code: "bad_arguments", where: of.name, what: `${place}: ${issue?.message}` });
    },
  };
}
