import { readdir } from "node:fs/promises";
import { join } from "node:path";

const MAGIC = /[*?[\]{}]/;

/** Whether a path is a pattern: it holds `*` or `?`. */
export function isGlob(path: string): boolean {
  return /[*?]/.test(path);
}

/** The files that a pattern names, in the order of their names: `*` and `?` within a name, `**` over folders. */
export async function filesOfGlob(pattern: string): Promise<string[]> {
  const parts = pattern.split("/");
  const fixed = parts.findIndex((part) => isGlob(part));
  const root = parts.slice(0, fixed).join("/");
  const found = await walk(root === "" && pattern.startsWith("/") ? "/" : root, parts.slice(fixed));
  return [...new Set(found)].sort();
}

async function walk(folder: string, parts: readonly string[]): Promise<string[]> {
  const [part, ...rest] = parts;
  if (part === undefined) return [];
  const entries = await readdir(folder === "" ? "." : folder, { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  if (part === "**") found.push(...(await walk(folder, rest)));
  const matches = part === "**" ? () => true : matcher(part);
  for (const entry of entries) {
    // As shells have it: a hidden file is named by nothing but its name.
    if (!matches(entry.name) || (entry.name.startsWith(".") && !part.startsWith("."))) continue;
    const path = folder === "" ? entry.name : join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await walk(path, part === "**" ? parts : rest)));
    else if (rest.length === 0 && part !== "**") found.push(path);
  }
  return found;
}

function matcher(part: string): (name: string) => boolean {
  const source = [...part].map((letter) => {
    if (letter === "*") return "[^/]*";
    if (letter === "?") return "[^/]";
    return MAGIC.test(letter) || /[\\^$.|+()]/.test(letter) ? `\\${letter}` : letter;
  });
  const pattern = new RegExp(`^${source.join("")}$`);
  return (name) => pattern.test(name);
}
