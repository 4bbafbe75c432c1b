import { hubFault } from "./hub-fault.ts";

const MOST_PATH_BYTES = 1024;
const MOST_NAME_BYTES = 255;
const LONE_SURROGATE = /\p{Surrogate}/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * A file's path within a repository, as it is kept: without `./` before it. Errors: 400 for one that could not be a file
 * below any folder (absolute, `..`, a backslash, a control character, too long) or that git keeps for itself (`.git`).
 */
export function filePath(path: string): string {
  const plain = path.replace(/^(\.\/+)+/, "");
  const fault = faultOf(plain);
  if (fault !== undefined) throw hubFault(400, `the path ${shown(path)} ${fault}`);
  return plain;
}

/** A folder's path, perhaps with a slash at its end. Errors: those of `filePath`. */
export function folderPath(path: string): string {
  return filePath(path.replace(/\/+$/, ""));
}

function faultOf(path: string): string | undefined {
  if (path === "") return "is empty";
  if (path.startsWith("/")) return "is absolute";
  if (LONE_SURROGATE.test(path)) return "is no valid Unicode";
  if (CONTROL.test(path)) return "holds a control character";
  if (path.includes("\\")) return "holds a backslash; folders are parted by /";
  if (Buffer.byteLength(path) > MOST_PATH_BYTES) return `is longer than ${MOST_PATH_BYTES} bytes`;
  for (const name of path.split("/")) {
    if (name === "") return "has an empty part";
    if (name === "." || name === "..") return `holds "${name}"`;
    if (name.toLowerCase() === ".git") return "lies in .git";
    if (Buffer.byteLength(name) > MOST_NAME_BYTES) return `has a part longer than ${MOST_NAME_BYTES} bytes`;
  }
  return undefined;
}

function shown(path: string): string {
  const text = JSON.stringify(path);
  return text.length > 120 ? `${text.slice(0, 120)}…"` : text;
}

const REF = /^(?!.*(\.\.|\/\/|@\{|\.lock$|[/.]$))[A-Za-z0-9_][A-Za-z0-9._+@/=-]{0,254}$/;

/** The name of a new branch or tag. Errors: 400 for what git would not take, and for what reads as a commit or `HEAD`. */
export function refName(name: string): string {
  if (!REF.test(name) || name === "HEAD" || /^[0-9a-f]{40}$/.test(name) || name.startsWith("refs/")) {
    throw hubFault(400, `${shown(name)} cannot be the name of a branch or tag`);
  }
  return name;
}
