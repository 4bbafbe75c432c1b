import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Config } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { type LoadOptions, loadConfig } from "../load.ts";
import { SECTIONS } from "../schema.ts";
import { seedRegistry } from "./registry.ts";

/** A folder of files, gone when the test is over. */
export function folderWith(files: Record<string, string>) {
  const dir = mkdtempSync(join(tmpdir(), "pairwright-config-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

export type Files = Record<string, string> | string;

/** Loads `config.yml` of the given files, with every section in use. */
export async function load(files: Files, options: Partial<LoadOptions> = {}): Promise<Config> {
  using folder = folderWith(typeof files === "string" ? { "config.yml": files } : files);
  return await loadConfig("config.yml", {
    registry: seedRegistry(),
    env: {},
    uses: SECTIONS,
    cwd: folder.dir,
    ...options,
  });
}

/** The lines of what is wrong with the given files, without the heading. */
export async function problemsOf(files: Files, options: Partial<LoadOptions> = {}): Promise<string[]> {
  const error = await errorOf(files, options);
  return error.message.split("\n  ").slice(1);
}

export async function errorOf(files: Files, options: Partial<LoadOptions> = {}): Promise<ConfigError> {
  try {
    await load(files, options);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("nothing was wrong with it");
}
