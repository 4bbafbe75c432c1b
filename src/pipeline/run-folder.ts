import { copyFile, link, mkdir, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, usageError } from "../lib/errors.ts";
import { exists, writeFileWhole } from "../lib/files.ts";
import { type Lock, takeLock } from "../lib/lock.ts";
import { RunManifest } from "../records/manifest.ts";
import { unwritable } from "./disk-error.ts";

/** One run's place on disk: `<output_dir>/<run_id>/`. This process alone writes there until `close`. */
export interface RunFolder {
  readonly output_dir: string;
  readonly dir: string;
  readonly manifest: RunManifest;
  /** Whether it was begun by another process before. */
  readonly resumed: boolean;
  path(name: string): string;
  /** Writes the manifest with these members changed. */
  update(changes: Partial<RunManifest>): Promise<void>;
  /** Puts a file of the run folder into the output folder too, where the seeds' readers look. */
  publish(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Makes a new run folder, named by its starting time, and points `latest` at it. */
export async function createRunFolder(
  output_dir: string,
  manifest: Omit<RunManifest, "run_id">,
  /** Puts into the folder what must be there before its manifest is. */
  prepare: (dir: string) => Promise<void> = async () => undefined,
): Promise<RunFolder> {
  try {
    await mkdir(output_dir, { recursive: true });
    const stem = manifest.started_at.replace(/\.\d+Z$/, "").replaceAll(":", "-");
    for (let attempt = 1; ; attempt += 1) {
      const run_id = attempt === 1 ? stem : `${stem}-${attempt}`;
      try {
        await mkdir(join(output_dir, run_id));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
        throw error;
      }
      const folder = openFolder(
        output_dir,
        { run_id, ...manifest },
        await takeLock(join(output_dir, run_id, "run.lock")),
        false,
      );
      await prepare(folder.dir);
      await folder.update({});
      await pointLatest(output_dir, run_id);
      return folder;
    }
  } catch (error) {
    throw unwritable(output_dir, error);
  }
}

/** Opens a run folder to go on with it. */
export async function openRunFolder(output_dir: string, manifest: RunManifest): Promise<RunFolder> {
  const lock = await takeLock(join(output_dir, manifest.run_id, "run.lock"));
  const folder = openFolder(output_dir, manifest, lock, true);
  await pointLatest(output_dir, manifest.run_id);
  return folder;
}

/**
 * The run of that name; else the newest one of this command that is not done (failed examples can run again);
 * `undefined` when none is.
 */
export async function findUnfinishedRun(
  output_dir: string,
  { name, command, shard }: { name?: string | undefined; command: string; shard?: RunManifest["shard"] },
): Promise<RunManifest | undefined> {
  if (name !== undefined) {
    const manifest = await readManifest(join(output_dir, name));
    if (manifest) return manifest;
    throw usageError({
      code: "no_such_run",
      where: join(output_dir, name),
      what: "there is no run of this name",
      fix: `look into ${output_dir}, or leave the name out to take the newest unfinished run`,
    });
  }
  // Another shard of the same division goes its own way; any other difference is told when the run is opened.
  const otherShard = (run: RunManifest) => run.shard?.of === shard?.of && run.shard?.index !== shard?.index;
  return (await findRuns(output_dir)).find((run) => run.command === command && !otherShard(run) && !isDone(run));
}

/** Failed examples can run again, and what an evaluator could not judge can be judged again. */
function isDone({ status, got, missing }: RunManifest): boolean {
  return (
    status === "completed" && got.failed === 0 && !Object.keys(missing).some((reason) => reason.startsWith("score: "))
  );
}

/** The manifests of all runs in an output folder, the newest first. */
export async function findRuns(output_dir: string): Promise<RunManifest[]> {
  if (!(await exists(output_dir))) return [];
  const folders = (await readdir(output_dir, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const manifests = await Promise.all(folders.map(({ name }) => readManifest(join(output_dir, name))));
  return manifests
    .filter((manifest) => manifest !== undefined)
    .sort((a, b) => (a.started_at === b.started_at ? 0 : a.started_at < b.started_at ? 1 : -1));
}

/** The manifest of a run folder; `undefined` when there is none. A manifest that does not parse is an error. */
export async function readManifest(dir: string): Promise<RunManifest | undefined> {
  const path = join(dir, "manifest.json");
  if (!(await exists(path))) return undefined;
  try {
    return RunManifest.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw usageError({
      code: "bad_manifest",
      where: path,
      what: `this manifest cannot be read: ${messageOf(cause, 200)}`,
      fix: "restore it, or start a new run without --resume",
      cause,
    });
  }
}

function openFolder(output_dir: string, first: RunManifest, lock: Lock, resumed: boolean): RunFolder {
  const dir = join(output_dir, first.run_id);
  let manifest = first;
  return {
    output_dir,
    dir,
    resumed,
    get manifest() {
      return manifest;
    },
    path: (name) => join(dir, name),
    async update(changes) {
      manifest = RunManifest.parse({ ...manifest, ...changes });
      await writeFileWhole(join(dir, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    },
    async publish(name) {
      const target = join(output_dir, name);
      const partial = `${target}.${manifest.run_id}.partial`;
      await rm(partial, { force: true });
      // A hard link costs nothing; a file system without them gets a copy.
      await link(join(dir, name), partial).catch(() => copyFile(join(dir, name), partial));
      await rename(partial, target);
    },
    close: () => lock.release(),
  };
}

async function pointLatest(output_dir: string, run_id: string): Promise<void> {
  const partial = join(output_dir, `.latest.${run_id}.${process.pid}`);
  await rm(partial, { force: true });
  await symlink(run_id, partial, "dir");
  await rename(partial, join(output_dir, "latest"));
}
