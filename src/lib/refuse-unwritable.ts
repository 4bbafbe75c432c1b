import { access, constants, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { codeOf, usageError } from "./errors.ts";

/** Refuses a file that cannot be made, before anything is read for it; makes nothing. Error: `output_not_writable`. */
export async function refuseUnwritable(path: string): Promise<void> {
  if (await isFolder(path)) throw unwritable(path, "this is a folder");
  let dir = dirname(resolve(path));
  for (;;) {
    const there = await isFolder(dir);
    if (there === false) throw unwritable(path, `${dir} is no folder`);
    if (there) break;
    dir = dirname(dir);
  }
  await access(dir, constants.W_OK).catch(() => {
    throw unwritable(path, `nothing can be written in ${dir}`);
  });
}

/** Undefined where there is nothing. */
async function isFolder(path: string): Promise<boolean | undefined> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    // Somewhere above it is a file, which is found on the way up.
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

function unwritable(where: string, what: string) {
  return usageError({ code: "output_not_writable", where, what, fix: "name a file that can be written" });
}
