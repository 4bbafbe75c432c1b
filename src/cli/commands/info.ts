import { describeComponents, type OptionDescription } from "../../config/describe.ts";
import { KINDS } from "../../registry/registry.ts";
import type { CommandRun } from "../command.ts";
import { oneOf } from "../flags.ts";
import { registryWithPlugins } from "../load.ts";

/** A line for each option, those of an object below it. */
function* linesOf(options: readonly OptionDescription[], indent: string): Generator<string> {
  for (const { name, type, description, required, default: value, options: inner } of options) {
    // What an object is unless told, its own options say.
    const own = inner && isEmpty(value) ? "" : `, default ${JSON.stringify(value ?? null)}`;
    yield `${indent}${name} (${type}${required ? ", required" : own})${description ? `: ${description}` : ""}`;
    yield* linesOf(inner ?? [], `${indent}    `);
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

export const run: CommandRun = async ({ flags, terminal }) => {
  const registry = await registryWithPlugins(flags, terminal);
  const kind = oneOf(flags, "type", KINDS);
  const query = typeof flags.query === "string" ? flags.query : undefined;
  const components = describeComponents(registry, { kind, query });
  for (const { kind: of, type, description, options } of components) {
    terminal.print(`${of} ${type}${description ? `: ${description}` : ""}`);
    for (const line of linesOf(options, "    ")) terminal.print(line);
  }
  if (components.length === 0) terminal.print("no such component");
  terminal.result({ components });
  return 0;
};
