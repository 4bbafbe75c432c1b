import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { exists } from "../lib/files.ts";
import { scrubber } from "../lib/scrub.ts";
import type { Parts } from "./parts.ts";

/** Parts of a configuration that may change between a run and its resumption: they decide no result. */
const FREE = ["eval.general.max_concurrency", "eval.general.output_dir", "finetuning.output_dir"];

/** The paths at which two configurations differ, those that decide no result left out. */
export function effectiveChanges(before: unknown, after: unknown, path = ""): string[] {
  if (FREE.includes(path)) return [];
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => effectiveChanges(before[key], after[key], path === "" ? key : `${path}.${key}`));
  }
  return JSON.stringify(before ?? null) === JSON.stringify(after ?? null) ? [] : [path];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The paths at which the configuration differs from the one that a run folder holds; none where one of the two has none. */
export async function changesSince({ config, secrets }: Pick<Parts, "config" | "secrets">, dir: string) {
  const path = join(dir, "config_effective.yml");
  if (!config || !(await exists(path))) return [];
  // Both through YAML and the scrubber, so that only what a reader of the two files would see counts as a change.
  const current: unknown = parse(scrubber(secrets)(stringify(config.effective)));
  return effectiveChanges(parse(await readFile(path, "utf8")), current);
}
