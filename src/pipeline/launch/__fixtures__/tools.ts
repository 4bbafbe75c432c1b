import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasTool } from "../find-tool.ts";

/** A folder of its own, with a space, a quote and a per cent sign in its name; gone when it is disposed of. */
export async function oddFolder(): Promise<{ dir: string } & AsyncDisposable> {
  const root = await mkdtemp(join(tmpdir(), "pairwright-test-"));
  const dir = join(root, "it's 50%d here");
  await mkdir(dir);
  return { dir, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

/**
 * A folder to be the whole of PATH: these scripts, which note their words one a line in `calls`, and the few programs
 * of the system that scripts need.
 */
export async function toolFolder(dir: string, tools: Readonly<Record<string, string>> = {}) {
  const bin = join(dir, "bin");
  await mkdir(bin, { recursive: true });
  for (const name of ["sh", "cat", "grep", "mkdir", "rm", "flock", "sleep", "cp", "bash"]) {
    const path = (await hasTool(`/usr/bin/${name}`, {})) ? `/usr/bin/${name}` : `/bin/${name}`;
    await symlink(path, join(bin, name));
  }
  const calls = join(dir, "calls");
  await writeFile(calls, "");
  for (const [name, script] of Object.entries(tools)) await addTool(bin, name, script, calls);
  return {
    env: { PATH: bin },
    tool: (name: string) => join(bin, name),
    /** The words of each call, the program's name first. */
    calls: async () =>
      (await readFile(calls, "utf8"))
        .split("\n\n")
        .filter((call) => call !== "")
        .map((call) => call.split("\n")),
  };
}

async function addTool(bin: string, name: string, script: string, calls: string): Promise<void> {
  const note = `printf '%s\\n' ${name} "$@" '' >> "${calls}"`;
  await writeFile(join(bin, name), `#!/bin/sh\n${note}\n${script}\n`);
  await chmod(join(bin, name), 0o755);
}
