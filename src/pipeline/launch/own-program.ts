import { fileURLToPath } from "node:url";

/** The words that start this very program in a process of its own. Source that was not built is read by jiti, as plugins are. */
export function ownProgram(): string[] {
  const built = import.meta.url.endsWith(".js");
  const main = fileURLToPath(new URL(built ? "../../cli/main.js" : "../../cli/main.ts", import.meta.url));
  return [process.execPath, ...(built ? [] : ["--import", import.meta.resolve("jiti/register")]), main];
}
