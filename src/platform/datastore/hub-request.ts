import type { Context } from "hono";
import type { RepoType } from "../../training/wire/hub.ts";
import type { DatastoreParts } from "./datastore.ts";
import { hubFault, revisionNotFound } from "./hub-fault.ts";
import type { Commit, Repo, RepoKey } from "./repositories.ts";

/** So many parts has `/v1/hf/api/datasets/{ns}/{name}/{word}`; behind it is what the word is about. */
export const API_PARTS = 7;

/** The repository that a path names. */
export function repoKeyOf(c: Context, type: RepoType): RepoKey {
  const { ns = "", name = "" } = c.req.param() as Record<string, string>;
  return { type, id: `${ns}/${name.replace(/\.git$/, "")}` };
}

/** Where the client found this platform: its links are to lead there again. */
export function originOf(c: Context): string {
  return new URL(c.req.url).origin;
}

/**
 * The parts of a path behind the first `count` ones, percent signs decoded in each: `%2F` is no border between parts.
 * Errors: 400 for what cannot be decoded.
 */
export function partsBehind(c: Context, count: number): string[] {
  const path = /^[a-z]+:\/\/[^/]*([^?#]*)/i.exec(c.req.url)?.[1] ?? "";
  const parts = path.split("/").slice(1 + count);
  try {
    return parts.map(decodeURIComponent);
  } catch {
    throw hubFault(400, "the path holds a percent sign that encodes nothing");
  }
}

/**
 * The revision at the beginning of these parts, and the path behind it. A branch's own slashes may stand as they are:
 * the shortest beginning that names a revision is taken. Errors: 404.
 */
export function revisionOf(
  { repos }: DatastoreParts,
  repo: Repo,
  parts: readonly string[],
): { commit: Commit; path: string } {
  for (let count = 1; count <= parts.length; count += 1) {
    const commit = repos.resolve(repo, parts.slice(0, count).join("/"));
    if (commit === undefined) continue;
    const path = parts.slice(count).filter((part) => part !== "");
    return { commit, path: path.join("/") };
  }
  throw revisionNotFound(parts[0] ?? "");
}

/** `limit` of a list, within bounds. */
export function limitOf(c: Context, most: number): number {
  const text = c.req.query("limit") ?? "";
  return /^[1-9]\d{0,8}$/.test(text) ? Math.min(Number(text), most) : most;
}

/** Where a list goes on, for the header that clients follow. The address has to be a whole one. */
export function nextLink(c: Context, cursor: string): Record<string, string> {
  const url = new URL(c.req.url);
  url.searchParams.set("cursor", Buffer.from(cursor).toString("base64url"));
  return { link: `<${url.href}>; rel="next"` };
}

export function cursorOf(c: Context): string | undefined {
  const cursor = c.req.query("cursor");
  return cursor === undefined ? undefined : Buffer.from(cursor, "base64url").toString("utf8");
}

/** Whether a switch of a query or form is on, in the spelling of any client: `true`, `True`, `1`. */
export function isOn(value: string | undefined): boolean {
  return /^(true|1)$/i.test(value ?? "");
}
