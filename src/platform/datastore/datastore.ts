import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { forEachBounded } from "../../lib/concurrency.ts";
import { linkOrCopy } from "../../lib/link-or-copy.ts";
import { writeFolderWhole } from "../../lib/whole-folder.ts";
import type { RepoType } from "../../training/wire/hub.ts";
import type { PlatformContext } from "../platform-context.ts";
import { type BlobStore, blobStore } from "./blob-store.ts";
import { type DatastoreNamespaces, datastoreNamespaces } from "./datastore-namespaces.ts";
import { filesOfFolder } from "./files-of-folder.ts";
import { revisionNotFound } from "./hub-fault.ts";
import { type Commit, MAIN, type Repo, type Repositories, repositories } from "./repositories.ts";
import { askForSweep, sweep } from "./sweep.ts";
import { type FileEntry, type TreeStore, walk } from "./tree.ts";
import { treeStore } from "./tree-store.ts";
import { type UploadTickets, uploadTickets } from "./upload-tickets.ts";

/** A file of a revision. */
export interface RepoFile {
  path: string;
  size: number;
  sha256: string;
  /** Git's; of a large file, that of its pointer. */
  oid: string;
}

export interface FolderCommit {
  /** The branch to write; made where it is missing. Default `main`. */
  revision?: string;
  /** Set on the commit. */
  tag?: string;
  summary: string;
  dir: string;
}

/**
 * Repositories of files with their history, as other parts of the platform use them. An id is `ns/name`. Errors: 404
 * `HttpFault`s with the hub's headers where a repository or revision is not known.
 */
export interface Datastore {
  /** False where it is there already. Its namespace is made where it is missing. */
  createRepo(type: RepoType, id: string): boolean;
  hasRepo(type: RepoType, id: string): boolean;
  /** Its files go when the platform starts the next time, except those that others hold or that are a day old at most. */
  deleteRepo(type: RepoType, id: string): boolean;
  /** The commit that a revision stands for now; undefined where repository or revision is not known. */
  commitAt(type: RepoType, id: string, revision?: string): string | undefined;
  /** In the order of their paths. */
  files(type: RepoType, id: string, revision?: string): RepoFile[];
  /** The file that holds these bytes; nobody may change it. */
  blobPath(sha256: string): string;
  /**
   * Makes a folder's files the content of a branch, all at once; gives the commit's oid. They become hard links where
   * possible: nobody may change them in place afterwards.
   */
  commitFolder(type: RepoType, id: string, options: FolderCommit): Promise<string>;
  /** Lays a revision's files out as a folder, hard links where possible; whole or not at all. Nobody may change them in place. */
  checkout(type: RepoType, id: string, revision: string, dir: string): Promise<void>;
}

/** The Datastore with its insides, for its own routes. */
export interface DatastoreParts extends Datastore {
  namespaces: DatastoreNamespaces;
  repos: Repositories;
  trees: TreeStore;
  blobs: BlobStore;
  tickets: UploadTickets;
}

/** Files flushed to disk at a time. */
const AT_ONCE = 4;

/** Opens it: the database holds names and history, `blobs/` in the data folder the bytes. */
export async function openDatastore({ database, dir, times }: PlatformContext): Promise<DatastoreParts> {
  const trees = treeStore(database);
  const now = () => `${times.naive().slice(0, 23)}Z`;
  const repos = repositories(database, trees, now);
  const namespaces = datastoreNamespaces(database, times);
  const blobs = await blobStore(join(dir, "blobs"));
  await sweep(database, join(dir, "blobs"), Date.parse(now()));
  return {
    namespaces,
    repos,
    trees,
    blobs,
    tickets: uploadTickets(() => Date.parse(now())),
    createRepo(type, id) {
      namespaces.ensure(id.slice(0, id.indexOf("/")));
      return repos.create({ type, id });
    },
    hasRepo: (type, id) => repos.find({ type, id }) !== undefined,
    deleteRepo(type, id) {
      askForSweep(join(dir, "blobs"));
      return repos.remove({ type, id });
    },
    commitAt(type, id, revision = MAIN) {
      const repo = repos.find({ type, id });
      return repo && repos.resolve(repo, revision)?.oid;
    },
    files(type, id, revision = MAIN) {
      const { tree } = commitOf(repos, repos.get({ type, id }), revision);
      return [...filesBelow(trees, tree)].map(({ path, entry }) => {
        const { size, sha256, oid } = entry;
        return { path, size, sha256, oid };
      });
    },
    blobPath: (sha256) => blobs.path(sha256),
    async commitFolder(type, id, { revision = MAIN, tag, summary, dir: folder }) {
      repos.get({ type, id });
      const edits = await filesOfFolder(blobs, folder);
      const request = { branch: revision, tag, summary, description: "", edits };
      return repos.replace({ type, id }, request).oid;
    },
    async checkout(type, id, revision, folder) {
      const { tree } = commitOf(repos, repos.get({ type, id }), revision);
      await writeFolderWhole(folder, (partial) =>
        forEachBounded(filesBelow(trees, tree), AT_ONCE, async ({ path, entry }) => {
          await mkdir(dirname(join(partial, path)), { recursive: true });
          await linkOrCopy(blobs.path(entry.sha256), join(partial, path));
        }),
      );
    },
  };
}

/** Errors: 404 with the hub's code. */
export function commitOf(repos: Repositories, repo: Repo, revision: string): Commit {
  const commit = repos.resolve(repo, revision);
  if (commit === undefined) throw revisionNotFound(revision);
  return commit;
}

export function* filesBelow(trees: TreeStore, root: string): Generator<{ path: string; entry: FileEntry }> {
  for (const { path, entry } of walk(trees, { root, recursive: true })) {
    if (entry.kind === "file") yield { path, entry };
  }
}
