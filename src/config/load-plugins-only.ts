import type { Registry } from "../registry/registry.ts";
import { ConfigError, collectFaults } from "./config-error.ts";
import { loadPlugins } from "./plugins.ts";

/** Loads plugins into a table without any configuration file; names start from the working folder. */
export async function loadPluginsOnly(
  names: readonly string[],
  { registry, modules, cwd = process.cwd() }: { registry: Registry; modules: Record<string, unknown>; cwd?: string },
): Promise<void> {
  const faults = collectFaults();
  const place = { file: "--plugin", line: null, column: null, dir: cwd };
  await loadPlugins(
    names.map((name) => ({ name, place, path: [] })),
    { registry, modules, faults },
  );
  if (faults.problems.length > 0) throw new ConfigError("--plugin", faults.problems);
}
