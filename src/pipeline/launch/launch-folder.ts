import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, usageError } from "../../lib/errors.ts";
import { exists, writeFileWhole } from "../../lib/files.ts";
import { writeFolderWhole } from "../../lib/whole-folder.ts";
import type { LaunchFile, Watch } from "../../training/launch/launch-plan.ts";

/** Where a training's traces are. */
const WatchRecord = z.strictObject({
  target: z.enum(["nemo-rl", "trl"]),
  log: z.string(),
  metrics: z.string(),
  checkpoints: z.string(),
  output: z.string(),
  total_steps: z.number(),
  batch_size: z.number(),
  beta: z.number(),
  first_loss: z.number().nullable(),
}) satisfies z.ZodType<Watch>;

/** `launch.json` of a launch's folder: what was asked for, and who has it. Holds no value of any variable. */
const LaunchRecord = z.strictObject({
  on: z.enum(["collect", "nemo-rl", "trl"]),
  pairwright_version: z.string(),
  created_at: z.string(),
  /** What decides its result: a launch is not gone on with when any of it has changed. */
  asked: z.record(z.string(), z.unknown()),
  /** Null for a collection, whose shards are runs like any other. */
  watch: WatchRecord.nullable(),
  job: z
    .strictObject({
      submitter: z.enum(["slurm", "ray", "kubernetes"]),
      id: z.string(),
      followed_by: z.array(z.string()),
    })
    .nullable(),
});
export type LaunchRecord = z.infer<typeof LaunchRecord>;

const RECORD = "launch.json";
const PREFIX = "launch-";

/** A name that no launch of this output folder has: its time, to the second, and a number where that is taken. */
export async function newLaunchDir(output_dir: string, now: number): Promise<string> {
  const stem = join(
    output_dir,
    `${PREFIX}${new Date(now)
      .toISOString()
      .replace(/\.\d+Z$/, "")
      .replaceAll(":", "-")}`,
  );
  for (let attempt = 1; ; attempt += 1) {
    const dir = attempt === 1 ? stem : `${stem}-${attempt}`;
    if (!(await exists(dir))) return dir;
  }
}

/** The folders of launches in an output folder, the newest first. */
export async function launchDirs(output_dir: string): Promise<string[]> {
  if (!(await exists(output_dir))) return [];
  const entries = await readdir(output_dir, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory() && entry.name.startsWith(PREFIX)).map(({ name }) => name);
  return names.sort(byTimeThenNumber).map((name) => join(output_dir, name));
}

function byTimeThenNumber(a: string, b: string): number {
  const [time, number] = partsOf(a);
  const [other_time, other_number] = partsOf(b);
  return time === other_time ? other_number - number : time < other_time ? 1 : -1;
}

function partsOf(name: string): [time: string, number: number] {
  const time = name.slice(0, PREFIX.length + "2026-01-01T00-00-00".length);
  return [time, Number(name.slice(time.length + 1) || 1)];
}

/** Writes a launch's folder whole or not at all. `fill` may write into it, and gives the record and the other files. */
export async function writeLaunch(
  dir: string,
  fill: (dir: string) => Promise<{ record: LaunchRecord; files: readonly LaunchFile[] }>,
): Promise<void> {
  await writeFolderWhole(dir, async (partial) => {
    await mkdir(join(partial, "logs"));
    const { record, files } = await fill(partial);
    for (const file of files) await put(partial, file, (path) => writeFile(path, file.text));
    await writeFile(join(partial, RECORD), textOf(record));
  });
}

/** Writes these files into a launch's folder that is there, and its record anew. */
export async function rewriteLaunch(dir: string, files: readonly LaunchFile[], record: LaunchRecord): Promise<void> {
  for (const file of files) await put(dir, file, (path) => writeFileWhole(path, file.text));
  await writeFileWhole(join(dir, RECORD), textOf(record));
}

async function put(dir: string, { name, executable }: LaunchFile, write: (path: string) => Promise<unknown>) {
  const path = join(dir, name);
  await write(path);
  if (executable === true) await chmod(path, 0o755);
}

function textOf(record: LaunchRecord): string {
  return `${JSON.stringify(LaunchRecord.parse(record), null, 2)}\n`;
}

/** Whether a folder is that of a launch. */
export async function isLaunchDir(dir: string): Promise<boolean> {
  return await exists(join(dir, RECORD));
}

/** The record of a launch; undefined where there is none. */
export async function readLaunch(dir: string): Promise<LaunchRecord | undefined> {
  const path = join(dir, RECORD);
  if (!(await exists(path))) return undefined;
  try {
    return LaunchRecord.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw usageError({
      code: "bad_launch_record",
      where: path,
      what: `this record of a launch cannot be read: ${messageOf(cause, 200)}`,
      fix: "restore it, or start a new launch without --resume",
      cause,
    });
  }
}
