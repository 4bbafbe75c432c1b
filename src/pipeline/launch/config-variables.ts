import { readFile } from "node:fs/promises";
import type { Config } from "../../config/config.ts";
import { KEY_VARIABLES } from "../../llms/register-llms.ts";

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-[^}]*)?\}/g;

/** The names of the variables that a configuration's files hold, and of those that its models take their key from. */
export async function variablesOf({ files, llms }: Pick<Config, "files" | "llms">): Promise<string[]> {
  const names = new Set<string>();
  for (const file of files) {
    for (const line of (await readFile(file, "utf8")).split("\n")) {
      if (line.trimStart().startsWith("#")) continue;
      for (const [, name = ""] of line.matchAll(VARIABLE)) names.add(name);
    }
  }
  for (const { type, options } of Object.values(llms)) {
    if (options.api_key !== undefined) continue;
    if (type === "openai" || type === "nim") names.add(KEY_VARIABLES[type]);
  }
  return [...names].sort();
}
