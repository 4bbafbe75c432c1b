import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { usageError } from "../../lib/errors.ts";
import { exists } from "../../lib/files.ts";
import type { RunManifest } from "../../records/manifest.ts";
import { effectiveChanges } from "../effective-changes.ts";
import { readManifest } from "../run-folder.ts";

/** Where a machine finds things: shards may differ in it. What a file holds is compared by its hash. */
const PLACES = /(^|\.)(base_url|api_key|file_path|endpoint)$|^(plugins|platform)\b/;

/**
 * Throws when files of runs cannot be parts of one run: seeds, and where the folders tell it, hashes of data and
 * plugins, and configurations. Each seed comes with the first file that has it.
 */
export async function refuseDifferentRuns(paths: readonly string[], seeds: ReadonlyMap<number, string>): Promise<void> {
  const [one, other] = seeds;
  if (one !== undefined && other !== undefined) {
    throw differentRuns(other[1], [`the seed (${other[0]}, and ${one[0]} in ${one[1]})`]);
  }
  let first: Told | undefined;
  for (const path of paths) {
    const told = await toldBy(dirname(path));
    if (told === undefined) continue;
    first ??= told;
    const differences = differencesOf(first, told);
    if (differences.length > 0) throw differentRuns(told.dir, [...differences, `as compared with ${first.dir}`]);
  }
}

interface Told {
  dir: string;
  manifest: RunManifest;
  config: unknown;
}

async function toldBy(dir: string): Promise<Told | undefined> {
  const manifest = await readManifest(dir);
  if (manifest === undefined) return undefined;
  const path = join(dir, "config_effective.yml");
  return { dir, manifest, config: (await exists(path)) ? parse(await readFile(path, "utf8")) : undefined };
}

function differencesOf(a: Told, b: Told): string[] {
  const differences: string[] = [];
  for (const [name, hash] of Object.entries(a.manifest.inputs)) {
    const other = b.manifest.inputs[name];
    if (other !== undefined && other !== hash) differences.push(name);
  }
  if (a.manifest.policy_only !== b.manifest.policy_only) differences.push("--policy-only");
  if (a.config !== undefined && b.config !== undefined) {
    differences.push(...effectiveChanges(a.config, b.config).filter((path) => !PLACES.test(path)));
  }
  return differences;
}

function differentRuns(where: string, differences: readonly string[]) {
  return usageError({
    code: "different_runs",
    where,
    what: `these are not parts of one run; they differ in ${differences.join(", ")}`,
    fix: "merge the shards of one run; for one data set of different runs use pairs build RUN… --output DIR",
  });
}
