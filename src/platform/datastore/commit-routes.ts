import { type Context, Hono } from "hono";
import { type CommitMade, Preupload, type PreuploadFile, type RepoType } from "../../training/wire/hub.ts";
import { readAs } from "../http/read-body.ts";
import { bodyChunks } from "./body-chunks.ts";
import { commitUrl, maySkip, uploadMode } from "./client-kind.ts";
import { readCommitBody } from "./commit-body.ts";
import type { DatastoreParts } from "./datastore.ts";
import { hubFault } from "./hub-fault.ts";
import { API_PARTS, isOn, originOf, partsBehind, repoKeyOf, revisionOf } from "./hub-request.ts";
import { MAIN } from "./repositories.ts";
import { findEntry, type TreeEntry } from "./tree.ts";

/** A list of files with samples of them. */
const PREUPLOAD_BYTES = 64 * 2 ** 20;

/** `preupload` and `commit` of repositories of one type, below `/v1/hf/api/{type}s/{ns}/{name}`. */
export function commitRoutes(store: DatastoreParts, type: RepoType): Hono {
  const routes = new Hono();
  routes.post("/preupload/*", async (c) => {
    const { files } = await readAs(c, Preupload, { max_bytes: PREUPLOAD_BYTES });
    const repo = store.repos.get(repoKeyOf(c, type));
    const { commit } = revisionOf(store, repo, [partsBehind(c, API_PARTS).join("/")]);
    const userAgent = userAgentOf(c);
    const known = maySkip(userAgent);
    const answers = files.map(({ path, size }): PreuploadFile => {
      const mode = uploadMode(userAgent, { path, size });
      const entry = known ? findEntry(store.trees, commit.tree, path.replace(/^(\.\/+)+/, "")) : undefined;
      const oid = knownOid(entry, mode);
      return { path, uploadMode: mode, shouldIgnore: false, ...(oid !== undefined && { oid }) };
    });
    return c.json({ files: answers });
  });
  routes.post("/commit/*", async (c) => {
    const key = repoKeyOf(c, type);
    const name = partsBehind(c, API_PARTS)
      .join("/")
      .replace(/^refs\/heads\//, "");
    const branch = name === "HEAD" ? MAIN : name;
    if (isOn(c.req.query("create_pr"))) throw hubFault(400, "there are no pull requests here; commit to a branch");
    // A large body that nobody wants is not read to its end.
    store.repos.branchHead(store.repos.get(key), branch);
    const body = await readCommitBody(bodyChunks(c), store.blobs);
    const { oid } = store.repos.commit(key, { branch, ...body });
    const url = commitUrl(userAgentOf(c), { origin: originOf(c), key, oid });
    const made: CommitMade = { success: true, commitOid: oid, commitUrl: url, hookOutput: "" };
    return c.json(made);
  });
  return routes;
}

function userAgentOf(c: Context): string {
  return c.req.header("user-agent") ?? "";
}

/** The client skips a file that it finds to be here: by git's oid, or where it uploads the bytes alone by their SHA-256. */
function knownOid(entry: TreeEntry | undefined, mode: "regular" | "lfs"): string | undefined {
  if (entry?.kind !== "file") return undefined;
  if (mode === "lfs") return entry.sha256;
  return entry.lfs ? undefined : entry.oid;
}
