import type { Handler } from "hono";
import type { RepoType } from "../../training/wire/hub.ts";
import type { DatastoreParts } from "./datastore.ts";
import { entryNotFound } from "./hub-fault.ts";
import { partsBehind, repoKeyOf, revisionOf } from "./hub-request.ts";
import { serveFile } from "./serve-file.ts";
import { findEntry } from "./tree.ts";

/**
 * Answers GET and HEAD of `resolve/{rev}/{path}` and `raw/...`: the bytes themselves, from here, for a client that is sent
 * elsewhere looks for these headers there. `parts` is how many the path has before the revision.
 */
export function fileHandler(store: DatastoreParts, type: RepoType, parts: number): Handler {
  return async (c) => {
    const repo = store.repos.get(repoKeyOf(c, type));
    const { commit, path } = revisionOf(store, repo, partsBehind(c, parts));
    const file = findEntry(store.trees, commit.tree, path);
    if (file?.kind !== "file") throw entryNotFound(path);
    const { sha256, size, oid, name, lfs } = file;
    const etag = lfs ? sha256 : oid;
    return serveFile(c, {
      path: store.blobs.path(sha256),
      size,
      etag,
      headers: {
        "x-repo-commit": commit.oid,
        "content-disposition": `inline; filename*=UTF-8''${encodeURIComponent(name)}`,
        ...(lfs && { "x-linked-etag": `"${sha256}"`, "x-linked-size": String(size) }),
      },
    });
  };
}
