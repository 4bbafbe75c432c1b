import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { isFile } from "../../lib/files.ts";

/** Whether a program can be started by this name: a path, or a name that stands in a folder of PATH. */
export async function hasTool(name: string, env: Readonly<Record<string, string | undefined>>): Promise<boolean> {
  const folders = name.includes("/") ? [""] : (env.PATH ?? "").split(delimiter);
  for (const folder of folders) {
    const path = isAbsolute(name) || folder === "" ? name : join(folder, name);
    if ((await isFile(path)) && (await isExecutable(path))) return true;
  }
  return false;
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
