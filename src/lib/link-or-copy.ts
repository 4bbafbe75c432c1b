import { copyFile, link } from "node:fs/promises";
import { codeOf } from "./errors.ts";

/** A second name for a file; file systems without hard links, and folders on another one, get a copy. */
export async function linkOrCopy(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    if (!["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(error) ?? "")) throw error;
    await copyFile(source, target);
  }
}
