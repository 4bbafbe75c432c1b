import { describeComponents } from "../../config/describe.ts";
import { KINDS } from "../../registry/registry.ts";
import type { CommandRun } from "../command.ts";
import { oneOf } from "../flags.ts";
import { registryWithPlugins } from "../load.ts";

export const run: CommandRun = async ({ flags, terminal }) => {
  const registry = await registryWithPlugins(flags, terminal);
  const kind = oneOf(flags, "type", KINDS);
  const query = typeof flags.query === "string" ? flags.query : undefined;
  const components = describeComponents(registry, { kind, query });
  for (const { kind: of, type, description, options } of components) {
    terminal.print(`${of} ${type}${description ? `: ${description}` : ""}`);
    for (const option of options) {
      const value = option.required ? "required" : `default ${JSON.stringify(option.default ?? null)}`;
      terminal.print(
        `    ${option.name} (${option.type}, ${value})${option.description ? `: ${option.description}` : ""}`,
      );
    }
  }
  if (components.length === 0) terminal.print("no such component");
  terminal.result({ components });
  return 0;
};
