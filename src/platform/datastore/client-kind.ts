import { LARGE_BYTES } from "./files-of-folder.ts";
import type { RepoKey } from "./repositories.ts";

/** Whether Python's hub client says that it is older than 1.20; undefined for other clients. */
function isOldPython(userAgent: string): boolean | undefined {
  const version = /\bhf_hub\/(\d+)\.(\d+)/.exec(userAgent);
  if (version === null) return undefined;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major < 1 || (major === 1 && minor < 20);
}

/**
 * How a client is told to upload a file. `regular` (as base64 within the commit) is what every client can do. `lfs` (the
 * bytes alone, streamed) spares a third of the bytes and the client's memory, and is said for large files to clients that
 * then do as this server says: Python's hub client before 1.20, and the JavaScript one, which cannot make a text of more
 * than 512 MB of base64 at all. From 1.20 on Python's goes to Xet for every `lfs` file, without asking whether it is here.
 */
export function uploadMode(userAgent: string, { path, size }: { path: string; size: number }): "regular" | "lfs" {
  // Parquet always, as on the public hub: `push_to_hub` of datasets uploads each piece alone, and forgets it before the commit.
  if (size < LARGE_BYTES && (size === 0 || !path.endsWith(".parquet"))) return "regular";
  const obeys = isOldPython(userAgent) ?? /^(node|undici|pairwright)\b/.test(userAgent);
  return obeys ? "lfs" : "regular";
}

/**
 * Whether a client is told what is here already, so that it leaves out a file that is the same. Python's before 1.20, where
 * nothing at all is left, makes up a commit's address that it cannot read itself: it is to commit the same once more.
 */
export function maySkip(userAgent: string): boolean {
  return isOldPython(userAgent) !== true;
}

/**
 * A commit's address, in the form that a client can read. Python's reads the repository from it and fails otherwise,
 * though the commit is made: before 1.20 only a relative one (it compares others with the public hub's address, even where
 * it was given another), from then on only a whole one.
 */
export function commitUrl(
  userAgent: string,
  { origin, key: { type, id }, oid }: { origin: string; key: RepoKey; oid: string },
): string {
  // "models/" too, which clients know and some need.
  const path = `${type}s/${id}/commit/${oid}`;
  return isOldPython(userAgent) ? path : `${origin}/v1/hf/${path}`;
}
