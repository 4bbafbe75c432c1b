import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RepoType } from "../../training/wire/hub.ts";
import { readAs } from "../http/read-body.ts";
import { commitOf, type DatastoreParts } from "./datastore.ts";
import { hubFault, revisionNotFound } from "./hub-fault.ts";
import { API_PARTS, cursorOf, isOn, limitOf, nextLink, partsBehind, repoKeyOf, revisionOf } from "./hub-request.ts";
import { type Commit, MAIN, type Ref, type Repo } from "./repositories.ts";

const BranchCreate = z.object({ startingPoint: z.string().nullish() });
const TagCreate = z.object({ tag: z.string(), message: z.string().nullish() });

const COMMITS_PAGE = 100;

/** Branches, tags and history of repositories of one type, below `/v1/hf/api/{type}s/{ns}/{name}`. */
export function refRoutes(store: DatastoreParts, type: RepoType): Hono {
  const routes = new Hono();
  const repoOf = (c: Context) => store.repos.get(repoKeyOf(c, type));
  const named = (c: Context) => partsBehind(c, API_PARTS).join("/");
  routes.get("/refs", (c) => {
    const refs = store.repos.refs(repoOf(c));
    return c.json({
      branches: refs.filter(({ kind }) => kind === "branch").map((ref) => refItem(ref, "heads")),
      converts: [],
      tags: refs.filter(({ kind }) => kind === "tag").map((ref) => refItem(ref, "tags")),
      ...(isOn(c.req.query("include_prs")) && { pullRequests: [] }),
    });
  });
  routes.post("/branch/*", async (c) => {
    const { startingPoint } = (await readAs(c, BranchCreate.nullish())) ?? {};
    const repo = repoOf(c);
    const { oid } = commitOf(store.repos, repo, startingPoint ?? MAIN);
    store.repos.addRef(repo, { kind: "branch", name: named(c), oid });
    return c.body(null, 201);
  });
  routes.post("/tag/*", async (c) => {
    const { tag } = await readAs(c, TagCreate);
    const repo = repoOf(c);
    const { oid } = revisionOf(store, repo, [named(c)]).commit;
    store.repos.addRef(repo, { kind: "tag", name: tag, oid });
    return c.body(null, 201);
  });
  for (const kind of ["branch", "tag"] as const) {
    routes.delete(`/${kind}/*`, (c) => {
      const name = named(c);
      if (kind === "branch" && name === MAIN) throw hubFault(403, `the branch ${MAIN} cannot be deleted`);
      if (!store.repos.removeRef(repoOf(c), { kind, name })) throw revisionNotFound(name);
      return c.body(null, 204);
    });
  }
  routes.get("/commits/*", (c) => {
    const repo = repoOf(c);
    const { commit } = revisionOf(store, repo, [named(c)]);
    const { page, next } = history(store, repo, { from: cursorOf(c) ?? commit.oid, limit: limitOf(c, COMMITS_PAGE) });
    return c.json(page.map(commitItem), 200, next === undefined ? {} : nextLink(c, next));
  });
  return routes;
}

function refItem({ name, oid }: Ref, folder: "heads" | "tags") {
  return { name, ref: `refs/${folder}/${name}`, targetCommit: oid };
}

function commitItem({ oid, summary, description, date }: Commit) {
  return { id: oid, title: summary, message: description, date, authors: [{ user: "local", avatar: "" }] };
}

/** Commits from one back, and the one that the next page begins with. */
function history(
  { repos }: DatastoreParts,
  repo: Repo,
  { from, limit }: { from: string; limit: number },
): { page: Commit[]; next?: string } {
  const page: Commit[] = [];
  let next: string | null = from;
  while (next !== null) {
    if (page.length === limit) return { page, next };
    const commit = repos.commitAt(repo, next);
    if (commit === undefined) throw revisionNotFound(next);
    page.push(commit);
    next = commit.parent;
  }
  return { page };
}
