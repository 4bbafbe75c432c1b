/**
 * What `npm run build` does after the two compilations: the declarations that users' compilers read go into `dist/`, and those
 * of everything else stay outside, since they are a third of the package's size.
 */
import { chmod, copyFile, mkdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

const MADE = ".tmp/types";
const ENTRIES = ["index.d.ts", "engine/index.d.ts", "testing/index.d.ts"];

const wanted = new Set<string>();
const waiting = [...ENTRIES];
for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
  if (wanted.has(file)) continue;
  wanted.add(file);
  const text = await readFile(join(MADE, file), "utf8");
  for (const [, path = ""] of text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
    waiting.push(relative(MADE, join(MADE, dirname(file), path.replace(/\.[jt]s$/, ".d.ts"))));
  }
}
for (const file of wanted) {
  await mkdir(join("dist", dirname(file)), { recursive: true });
  await copyFile(join(MADE, file), join("dist", file));
}
await chmod("dist/cli/main.js", 0o755);
