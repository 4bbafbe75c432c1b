import { open } from "node:fs/promises";

/** What was written to a file is on disk when this returns. */
export async function flushFile(path: string): Promise<void> {
  // A copied file may be read-only, which only Windows minds.
  const file = await open(path, process.platform === "win32" ? "r+" : "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A new name is on disk when its folder is. Windows has no such call. */
export async function flushFolder(dir: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(dir, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
