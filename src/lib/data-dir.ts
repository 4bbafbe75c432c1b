import { homedir } from "node:os";
import { join } from "node:path";

/** Where programs keep what is the user's and no configuration: `$XDG_DATA_HOME/NAME`, else `~/.local/share/NAME`. */
export function dataDir(name: string, env: Record<string, string | undefined>): string {
  const base = env.XDG_DATA_HOME;
  // The standard has relative ones ignored.
  return join(base?.startsWith("/") ? base : join(homedir(), ".local", "share"), name);
}
