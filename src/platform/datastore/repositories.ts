import type { RepoType } from "../../training/wire/hub.ts";
import { type Database, transaction } from "../store/database.ts";
import { type Edit, editTree, emptyTree } from "./edit-tree.ts";
import { gitCommitOid } from "./git-objects.ts";
import { hubFault, repoNotFound, revisionNotFound } from "./hub-fault.ts";
import { refName } from "./repo-paths.ts";
import type { TreeStore } from "./tree.ts";

export interface RepoKey {
  type: RepoType;
  /** `ns/name` */
  id: string;
}

export interface Repo extends RepoKey {
  key: number;
  created_at: string;
}

export interface Commit {
  oid: string;
  /** The root of its files. */
  tree: string;
  parent: string | null;
  summary: string;
  description: string;
  /** ISO, milliseconds, `Z`. */
  date: string;
}

export interface Ref {
  kind: "branch" | "tag";
  name: string;
  oid: string;
}

/** The branch that every repository has. */
export const MAIN = "main";

/** What a commit does. */
export interface CommitRequest {
  branch: string;
  /** The branch's head as its writer knew it, or the first seven digits of it and more; another one is refused. */
  parent?: string | undefined;
  summary: string;
  description: string;
  edits: readonly Edit[];
}

/** Repositories with their commits and references. Every change is one transaction; nothing here waits. */
export interface Repositories {
  /** With an empty first commit on `main`; false where it is there. */
  create(key: RepoKey): boolean;
  find(key: RepoKey): Repo | undefined;
  /** Errors: 404. */
  get(key: RepoKey): Repo;
  remove(key: RepoKey): boolean;
  list(type: RepoType, namespace?: string): Repo[];
  refs(repo: Repo): Ref[];
  /** Of a branch, a tag, a commit's oid or `HEAD`; undefined for none of these. */
  resolve(repo: Repo, revision: string): Commit | undefined;
  /** A commit by its oid. */
  commitAt(repo: Repo, oid: string): Commit | undefined;
  /** Errors: 404 where it is not there, 400 where it is no branch. */
  branchHead(repo: Repo, branch: string): Commit;
  /** Errors: 404 for no such branch, 412 for another head than `parent`, and those of `editTree`. */
  commit(key: RepoKey, request: CommitRequest): Commit;
  /** A commit whose files are exactly these, on a branch that is made where it is missing; with a tag on it where asked for. */
  replace(key: RepoKey, request: Omit<CommitRequest, "parent"> & { tag?: string | undefined }): Commit;
  /** Errors: 409 where it is there, 400 for a name that cannot be one. */
  addRef(repo: Repo, ref: Ref): void;
  removeRef(repo: Repo, ref: Omit<Ref, "oid">): boolean;
}

/** `now` gives a time in ISO with milliseconds. */
export function repositories(database: Database, trees: TreeStore, now: () => string): Repositories {
  const sql = statements(database);
  const known = lookups(sql);
  function write(repo: Repo, { tree, parent, summary, description }: Omit<Commit, "oid" | "date">): Commit {
    const date = now();
    const message = `${summary}\n${description === "" ? "" : `\n${description}\n`}`;
    const seconds = Math.floor(Date.parse(date) / 1000);
    const oid = gitCommitOid({ tree, parent: parent ?? undefined, message, seconds });
    sql.addCommit.run(repo.key, oid, tree, parent, summary, description, date);
    return { oid, tree, parent, summary, description, date };
  }
  return {
    ...known,
    create: (key) =>
      transaction(database, () => {
        if (sql.addRepo.run(key.type, ...parts(key.id), now()).changes === 0) return false;
        const repo = known.get(key);
        const first = { tree: emptyTree(trees), parent: null, summary: "initial commit", description: "" };
        sql.putRef.run(repo.key, "branch", MAIN, write(repo, first).oid);
        return true;
      }),
    remove: ({ type, id }) => sql.removeRepo.run(type, ...parts(id)).changes > 0,
    commit: (key, { branch, parent, summary, description, edits }) =>
      transaction(database, () => {
        const repo = known.get(key);
        const head = known.branchHead(repo, branch);
        if (parent !== undefined && !head.oid.startsWith(parent)) {
          throw hubFault(412, `${branch} is at ${head.oid}, not at ${parent}: a commit has happened since`);
        }
        const tree = editTree(trees, head.tree, edits);
        const commit = write(repo, { tree, parent: head.oid, summary, description });
        sql.putRef.run(repo.key, "branch", branch, commit.oid);
        return commit;
      }),
    replace: (key, { branch, tag, summary, description, edits }) =>
      transaction(database, () => {
        const repo = known.get(key);
        const head = known.resolve(repo, branch);
        const tree = editTree(trees, emptyTree(trees), edits);
        const commit = write(repo, { tree, parent: head?.oid ?? null, summary, description });
        sql.putRef.run(repo.key, "branch", refName(branch), commit.oid);
        if (tag !== undefined) sql.putRef.run(repo.key, "tag", refName(tag), commit.oid);
        return commit;
      }),
    addRef(repo, { kind, name, oid }) {
      if (sql.addRef.run(repo.key, kind, refName(name), oid).changes === 0) {
        throw hubFault(409, `the ${kind} ${name} is there already`);
      }
    },
    removeRef: (repo, { kind, name }) => sql.removeRef.run(repo.key, kind, name).changes > 0,
  };
}

type Lookups = Pick<Repositories, "find" | "get" | "list" | "refs" | "resolve" | "commitAt" | "branchHead">;

function lookups(sql: ReturnType<typeof statements>): Lookups {
  const known: Lookups = {
    find({ type, id }) {
      const row = sql.repo.get(type, ...parts(id)) as { key: number; created_at: string } | undefined;
      return row && { key: row.key, created_at: row.created_at, type, id };
    },
    get(key) {
      const repo = known.find(key);
      if (repo === undefined) throw repoNotFound(key.id);
      return repo;
    },
    list(type, namespace) {
      const rows = sql.repos.all(type, namespace ?? null, namespace ?? null) as Omit<Repo, "type">[];
      return rows.map(({ key, id, created_at }) => ({ key, id, created_at, type }));
    },
    refs: (repo) => (sql.refs.all(repo.key) as Ref[]).map(({ kind, name, oid }) => ({ kind, name, oid })),
    commitAt: (repo, oid) => sql.commit.get(repo.key, oid) as Commit | undefined,
    resolve(repo, revision) {
      const name = revision === "HEAD" ? MAIN : revision.replace(/^refs\/(heads|tags)\//, "");
      const row = sql.ref.get(repo.key, name) as { oid: string } | undefined;
      return known.commitAt(repo, row?.oid ?? revision);
    },
    branchHead(repo, branch) {
      const ref = known.refs(repo).find(({ kind, name }) => kind === "branch" && name === branch);
      const commit = ref && known.commitAt(repo, ref.oid);
      if (commit !== undefined) return commit;
      if (known.resolve(repo, branch) === undefined) throw revisionNotFound(branch);
      throw hubFault(400, `${branch} is no branch; commits go to a branch`);
    },
  };
  return known;
}

function parts(id: string): [string, string] {
  const at = id.indexOf("/");
  return [id.slice(0, Math.max(at, 0)), id.slice(at + 1)];
}

function statements(database: Database) {
  const commit = "select oid, tree, parent, summary, description, date from commits where repo = ? and oid = ?";
  return {
    addRepo: database.prepare(
      "insert into repos (type, namespace, name, created_at) values (?, ?, ?, ?) on conflict do nothing",
    ),
    repo: database.prepare("select id as key, created_at from repos where type = ? and namespace = ? and name = ?"),
    removeRepo: database.prepare("delete from repos where type = ? and namespace = ? and name = ?"),
    repos: database.prepare(
      `select id as key, namespace || '/' || name as id, created_at from repos
       where type = ? and (? is null or namespace = ?) order by id`,
    ),
    addCommit: database.prepare(
      `insert into commits (repo, oid, tree, parent, summary, description, date) values (?, ?, ?, ?, ?, ?, ?)
       on conflict do nothing`,
    ),
    commit: database.prepare(commit),
    refs: database.prepare("select kind, name, oid from refs where repo = ? order by kind, name"),
    // A branch before a tag of the same name.
    ref: database.prepare("select oid from refs where repo = ? and name = ? order by kind limit 1"),
    putRef: database.prepare(
      "insert into refs (repo, kind, name, oid) values (?, ?, ?, ?) on conflict do update set oid = excluded.oid",
    ),
    addRef: database.prepare("insert into refs (repo, kind, name, oid) values (?, ?, ?, ?) on conflict do nothing"),
    removeRef: database.prepare("delete from refs where repo = ? and kind = ? and name = ?"),
  };
}
