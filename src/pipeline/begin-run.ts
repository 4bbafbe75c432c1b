import { join } from "node:path";
import { stringify } from "yaml";
import { usageError } from "../lib/errors.ts";
import { writeFileWhole } from "../lib/files.ts";
import { scrubber } from "../lib/scrub.ts";
import type { RunManifest } from "../records/manifest.ts";
import { changesSince } from "./effective-changes.ts";
import type { Parts } from "./parts.ts";
import { createRunFolder, findUnfinishedRun, openRunFolder, type RunFolder } from "./run-folder.ts";
import type { RunOptions } from "./run-options.ts";

/** A new run folder, or with `resume` the one to go on with, once it is clear that nothing about the run has changed. */
export async function beginRun(parts: Parts, options: RunOptions, examples: number): Promise<RunFolder> {
  const inputs = await parts.inputs();
  const asked = askedFor(options);
  if (options.resume !== undefined && options.resume !== false) {
    const name = typeof options.resume === "string" ? options.resume : undefined;
    const manifest = await findUnfinishedRun(parts.output_dir, {
      name,
      command: options.command,
      shard: options.shard,
    });
    if (manifest) {
      await refuseChanges(parts, manifest, { ...asked, inputs });
      options.log.info(`going on with run ${manifest.run_id}`);
      const folder = await openRunFolder(parts.output_dir, manifest);
      await folder.update({ status: "running", asked: { examples } });
      return folder;
    }
    options.log.info(`${parts.output_dir} holds no unfinished run: starting a new one`);
  }

  const first = {
    status: "running" as const,
    pairwright_version: options.version,
    node_version: process.versions.node,
    started_at: new Date(options.now()).toISOString(),
    ...asked,
    ...(options.round !== undefined && { round: options.round }),
    ...(options.plan && { plan: options.plan }),
    inputs,
    outputs: {},
    asked: { examples },
    got: { completed: 0, failed: 0 },
    missing: {},
    counts: {},
    notes: [
      "seeds are sent with every model call; whether the same seed gives the same reply is the server's promise, not ours",
    ],
  };
  // The configuration first: a folder with a manifest has all that a resumption compares.
  const folder = await createRunFolder(parts.output_dir, first, (dir) => writeConfig(parts, dir));
  if (parts.config) for (const name of CONFIG_FILES) await folder.publish(name);
  return folder;
}

type Asked = Pick<RunManifest, "command" | "seed" | "reps" | "policy_only" | "options"> & {
  shard?: { index: number; of: number };
};

function askedFor(options: RunOptions): Asked {
  const { command, seed, reps, policy_only, shard, endpoint, result_json_path } = options;
  return {
    command,
    seed,
    reps,
    policy_only: policy_only ?? false,
    options: {
      ...(endpoint !== undefined && { endpoint }),
      ...(result_json_path !== undefined && { result_json_path }),
      ...(options.skip_workflow && { skip_workflow: true }),
      ...(options.skip_completed_entries && { skip_completed_entries: true }),
    },
    ...(shard && { shard }),
  };
}

const CONFIG_FILES = ["config_effective.yml", "config_original.yml"];

async function writeConfig(parts: Parts, dir: string): Promise<void> {
  if (!parts.config) return;
  const scrub = scrubber(parts.secrets);
  await writeFileWhole(join(dir, "config_effective.yml"), scrub(stringify(parts.config.effective)));
  await writeFileWhole(join(dir, "config_original.yml"), scrub(parts.config.original));
}

/** A run that went on under another configuration or other data would be neither run. */
async function refuseChanges(parts: Parts, before: RunManifest, now: Asked & { inputs: Record<string, string> }) {
  const changed: string[] = [];
  if (before.command !== now.command) changed.push(`the command (it was ${before.command})`);
  for (const key of ["seed", "reps", "policy_only", "shard"] as const) {
    if (JSON.stringify(before[key]) !== JSON.stringify(now[key])) changed.push(`--${key.replaceAll("_", "-")}`);
  }
  for (const key of new Set([...Object.keys(before.options), ...Object.keys(now.options)])) {
    if (before.options[key] !== now.options[key]) changed.push(`--${key.replaceAll("_", "-")}`);
  }
  changed.push(...(await changesSince(parts, join(parts.output_dir, before.run_id))));
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
