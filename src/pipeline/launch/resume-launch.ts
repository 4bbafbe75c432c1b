import { join } from "node:path";
import { usageError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { type LaunchRecord, launchDirs, newLaunchDir, readLaunch } from "./launch-folder.ts";
import { isFinished } from "./shard-state.ts";

export interface ResumeOptions {
  output_dir: string;
  shards: number;
  /** True: the newest launch that is not finished; a text: that one. */
  resume: boolean | string;
  /** What decides the result: another launch is not gone on with. */
  asked: Readonly<Record<string, unknown>>;
  now: () => number;
  log: Logger;
}

/** The folder of a new launch, or of the one to go on with, once it is clear that the same was asked for. */
export async function dirOfLaunch(options: ResumeOptions): Promise<{ dir: string; before?: LaunchRecord }> {
  const { resume, output_dir, asked, now, log } = options;
  if (resume !== false) {
    const found = await launchToResume(options);
    if (found) {
      const [was, is] = [found.before.asked, JSON.parse(JSON.stringify(asked)) as Record<string, unknown>];
      const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
      const changed = names.filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]));
      if (changed.length > 0) throw changedSince(found.dir, changed);
      log.info(`going on with ${found.dir}`);
      return found;
    }
    log.info(`${output_dir} holds no unfinished launch: starting a new one`);
  }
  return { dir: await newLaunchDir(output_dir, now()) };
}

async function launchToResume({ resume, output_dir, shards }: ResumeOptions) {
  if (typeof resume === "string") {
    const dir = join(output_dir, resume);
    const before = await readLaunch(dir);
    if (before?.on === "collect") return { dir, before };
    throw usageError({
      code: "no_such_launch",
      where: dir,
      what: "there is no collection in shards of this name",
      fix: `look into ${output_dir}, or leave the name out to take the newest unfinished one`,
    });
  }
  for (const dir of await launchDirs(output_dir)) {
    const before = await readLaunch(dir);
    if (before?.on === "collect" && !(await isFinished({ dir, shards }))) return { dir, before };
  }
  return undefined;
}

function changedSince(where: string, changed: readonly string[]) {
  return usageError({
    code: "changed_since",
    where,
    what: `this launch was begun with something else; changed: ${changed.join(", ")}`,
    fix: "change it back to go on with this launch, or start a new one without --resume",
  });
}
