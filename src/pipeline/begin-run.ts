import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { usageError } from "../lib/errors.ts";
import { exists, writeFileWhole } from "../lib/files.ts";
import { scrubber } from "../lib/scrub.ts";
import type { RunManifest } from "../records/manifest.ts";
import { effectiveChanges } from "./effective-changes.ts";
import type { Parts } from "./parts.ts";
import { createRunFolder, findUnfinishedRun, openRunFolder, type RunFolder } from "./run-folder.ts";
import type { RunOptions } from "./run-options.ts";

/** A new run folder, or with `resume` the one to go on with, once it is clear that nothing about the run has changed. */
export async function beginRun(parts: Parts, options: RunOptions, examples: number): Promise<RunFolder> {
  const inputs = await parts.inputs();
  const asked = askedFor(options);
  if (options.resume !== undefined && options.resume !== false) {
    const name = typeof options.resume === "string" ? options.resume : undefined;
    const manifest = await findUnfinishedRun(parts.output_dir, name);
    if (manifest) {
      await refuseChanges(parts, manifest, { ...asked, inputs });
      options.log.info(`going on with run ${manifest.run_id}`);
      const folder = await openRunFolder(parts.output_dir, manifest);
      await folder.update({ status: "running", asked: { examples } });
      return folder;
    }
    options.log.info(`${parts.output_dir} holds no unfinished run: starting a new one`);
  }

  const folder = await createRunFolder(parts.output_dir, {
    command: options.command,
    status: "running",
    pairwright_version: options.version,
    node_version: process.versions.node,
    started_at: new Date(options.now()).toISOString(),
    ...asked,
    inputs,
    outputs: {},
    asked: { examples },
    got: { completed: 0, failed: 0 },
    missing: {},
    counts: {},
    notes: [
      "seeds are sent with every model call; whether the same seed gives the same reply is the server's promise, not ours",
    ],
  });
  await writeConfig(parts, folder);
  return folder;
}

type Asked = Pick<RunManifest, "seed" | "reps" | "policy_only"> & { shard?: { index: number; of: number } };

function askedFor({ seed, reps, policy_only, shard }: RunOptions): Asked {
  return { seed, reps, policy_only: policy_only ?? false, ...(shard && { shard }) };
}

async function writeConfig(parts: Parts, folder: RunFolder): Promise<void> {
  if (!parts.config) return;
  const scrub = scrubber(parts.secrets);
  await writeFileWhole(folder.path("config_effective.yml"), scrub(stringify(parts.config.effective)));
  await writeFileWhole(folder.path("config_original.yml"), scrub(parts.config.original));
  await folder.publish("config_effective.yml");
  await folder.publish("config_original.yml");
}

/** A run that went on under another configuration or other data would be neither run. */
async function refuseChanges(parts: Parts, before: RunManifest, now: Asked & { inputs: Record<string, string> }) {
  const changed: string[] = [];
  for (const key of ["seed", "reps", "policy_only", "shard"] as const) {
    if (JSON.stringify(before[key]) !== JSON.stringify(now[key])) changed.push(`--${key.replaceAll("_", "-")}`);
  }
  const path = join(parts.output_dir, before.run_id, "config_effective.yml");
  if (parts.config && (await exists(path))) {
    // Both through YAML and the scrubber, so that only what a reader of the two files would see counts as a change.
    const current: unknown = parse(scrubber(parts.secrets)(stringify(parts.config.effective)));
    changed.push(...effectiveChanges(parse(await readFile(path, "utf8")), current));
  }
  for (const name of new Set([...Object.keys(before.inputs), ...Object.keys(now.inputs)])) {
    if (before.inputs[name] !== now.inputs[name]) changed.push(name);
  }
  if (changed.length === 0) return;
  throw usageError({
    code: "changed_since",
    where: join(parts.output_dir, before.run_id),
    what: `this run was begun with something else; changed: ${changed.join(", ")}`,
    fix: "change it back to go on with this run, or start a new run without --resume",
  });
}
