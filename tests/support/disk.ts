import { spawnSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/** Mounting takes root and a kernel that lets it; elsewhere these tests are skipped. */
export function mayMount(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const probe = spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
  return probe.status === 0;
}

export interface Disk extends Disposable {
  remount(options: string): void;
}

/** A small disk of its own at this place. */
export async function mounted(dir: string, options: string): Promise<Disk> {
  await mkdir(dir, { recursive: true });
  const mount = (...args: string[]) => {
    const { status, stderr } = spawnSync("mount", args, { encoding: "utf8", cwd: dirname(dir) });
    if (status !== 0) throw new Error(stderr);
  };
  mount("-t", "tmpfs", "-o", options, "tmpfs", dir);
  return {
    remount: (changed) => mount("-o", `remount,${changed}`, dir),
    [Symbol.dispose]: () => void spawnSync("umount", ["-l", dir]),
  };
}
