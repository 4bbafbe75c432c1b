/**
 * `npm run build`: compiles into `.tmp/build/`, and gives `dist/` the code, minified, and the declarations that users' compilers
 * read. Functions and classes keep their names and statements their lines, for the sake of stack traces.
 */
import { spawnSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { minify } from "rolldown/utils";

const SOURCE = "src";
const COMPILED = ".tmp/build";
const DIST = "dist";
const ENTRIES = ["index.d.ts", "engine/index.d.ts", "testing/index.d.ts"];
const NAMES = { function: true, class: true };

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit" });
process.exitCode = status ?? 1;

const files = new Map<string, string>([...(await code()), ...(await declarations())]);
for (const name of await readdir(DIST, { recursive: true, withFileTypes: true }).catch(() => [])) {
  const path = join(name.parentPath, name.name);
  if (name.isFile() && !files.has(path.slice(DIST.length + 1))) await rm(path);
}
await Promise.all([...files].map(([name, text]) => put(join(DIST, name), text)));
await chmod(join(DIST, "cli/main.js"), 0o755);

/** Every module, by its name in `dist/`. What was compiled of a file that is there no more is left behind. */
async function code(): Promise<[string, string][]> {
  const sources = await readdir(SOURCE, { recursive: true });
  const names = sources.filter((name) => /\.ts$/.test(name) && !/\.test\.ts$|__fixtures__/.test(name));
  return Promise.all(
    names.map(async (source): Promise<[string, string]> => {
      const name = source.replace(/\.ts$/, ".js");
      const { code, errors } = await minify(name, await readFile(join(COMPILED, name), "utf8"), {
        module: true,
        compress: { target: "es2022", keepNames: NAMES },
        mangle: { keepNames: NAMES },
        codegen: { removeWhitespace: false },
      });
      if (errors.length > 0) throw new Error(`${name}: ${errors.map(({ message }) => message).join("; ")}`);
      return [name, code];
    }),
  );
}

/** Those of the entries and of what they show: all of them would be a third of the package's size. */
async function declarations(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const waiting = [...ENTRIES];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name)) continue;
    const text = await readFile(join(COMPILED, name), "utf8");
    found.set(name, text);
    for (const [, path = ""] of text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
      waiting.push(join(dirname(name), path.replace(/\.[jt]s$/, ".d.ts")));
    }
  }
  return found;
}

/** A file that is as it should be is not touched: a program that runs may be reading it. */
async function put(path: string, text: string): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => undefined)) === text) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
