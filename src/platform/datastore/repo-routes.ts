import { type Context, Hono } from "hono";
import { RepoCreate, RepoDelete, type RepoInfo, type RepoType } from "../../training/wire/hub.ts";
import { readAs } from "../http/read-body.ts";
import { commitOf, type DatastoreParts, filesBelow } from "./datastore.ts";
import { repoNotFound } from "./hub-fault.ts";
import { API_PARTS, cursorOf, isOn, limitOf, nextLink, partsBehind, repoKeyOf, revisionOf } from "./hub-request.ts";
import { type Commit, MAIN, type Repo } from "./repositories.ts";
import { treeItem } from "./tree-items.ts";

/** Whose repositories are those that name no owner, and who everybody is. */
const LOCAL_USER = "local";

const REPOS_PAGE = 1000;

/** Repositories are made and deleted: `/v1/hf/api/repos`. */
export function repoRoutes(store: DatastoreParts): Hono {
  const routes = new Hono();
  routes.post("/create", async (c) => {
    const { name, organization, type } = await readAs(c, RepoCreate);
    const id = `${organization ?? LOCAL_USER}/${name}`;
    const key = { type: type ?? "model", id } as const;
    // Relative, as the real service has it; clients put their own address before it.
    const made = { url: key.type === "dataset" ? `datasets/${id}` : id, name: id, id };
    if (store.createRepo(key.type, id)) return c.json(made);
    const error = `You already created this ${key.type} repo`;
    // Clients that are content with one that is there read its address from the fault.
    return c.json({ error, ...made }, 409, { "x-should-retry": "false", "x-error-message": error });
  });
  routes.delete("/delete", async (c) => {
    const { name, organization, type } = await readAs(c, RepoDelete);
    const id = `${organization ?? LOCAL_USER}/${name}`;
    if (!store.deleteRepo(type ?? "model", id)) throw repoNotFound(id);
    return c.body(null, 200);
  });
  return routes;
}

/** Lists repositories of one type, and tells of one: `/v1/hf/api/{type}s`. */
export function repoInfoRoutes(store: DatastoreParts, type: RepoType): Hono {
  const routes = new Hono();
  routes.get("/", (c) => {
    const search = c.req.query("search")?.toLowerCase() ?? "";
    const all = store.repos.list(type, c.req.query("author")).filter(({ id }) => id.toLowerCase().includes(search));
    const from = Number(cursorOf(c) ?? 0);
    const limit = limitOf(c, REPOS_PAGE);
    const page = all.slice(from, from + limit).map((repo) => repoInfo(repo, commitOf(store.repos, repo, MAIN)));
    return c.json(page, 200, from + limit < all.length ? nextLink(c, String(from + limit)) : {});
  });
  // A name without an owner is nobody's.
  routes.get("/:name", (c) => {
    throw repoNotFound(c.req.param("name"));
  });
  routes.get("/:ns/:name", (c) => {
    const repo = store.repos.get(repoKeyOf(c, type));
    return c.json(withFiles(c, store, repo, commitOf(store.repos, repo, MAIN)));
  });
  routes.get("/:ns/:name/revision/*", (c) => {
    const repo = store.repos.get(repoKeyOf(c, type));
    return c.json(withFiles(c, store, repo, revisionOf(store, repo, [partsBehind(c, API_PARTS).join("/")]).commit));
  });
  routes.delete("/:ns/:name", (c) => {
    const { id } = repoKeyOf(c, type);
    if (!store.deleteRepo(type, id)) throw repoNotFound(id);
    return c.body(null, 200);
  });
  return routes;
}

/** Everything that clients may ask for with `expand`; more than they did is no harm. */
function repoInfo({ key, id, created_at }: Repo, { oid, date }: Commit): RepoInfo {
  return {
    _id: String(key).padStart(24, "0"),
    id,
    author: id.slice(0, id.indexOf("/")),
    sha: oid,
    lastModified: date,
    createdAt: created_at,
    private: false,
    disabled: false,
    gated: false,
    downloads: 0,
    likes: 0,
    tags: [],
    siblings: [],
  };
}

function withFiles(c: Context, store: DatastoreParts, repo: Repo, commit: Commit): RepoInfo {
  const blobs = isOn(c.req.query("blobs"));
  const siblings = [...filesBelow(store.trees, commit.tree)].map(({ path, entry }) => {
    if (!blobs) return { rfilename: path };
    const { lfs } = treeItem(path, entry);
    const large = lfs && { lfs: { sha256: lfs.oid, size: lfs.size, pointerSize: lfs.pointerSize } };
    return { rfilename: path, size: entry.size, blobId: entry.oid, ...large };
  });
  return { ...repoInfo(repo, commit), siblings };
}

/** Who asks: everybody who reaches the platform is the same one. */
export const LOCAL_WHOAMI = {
  type: "user",
  id: "0",
  name: LOCAL_USER,
  fullname: LOCAL_USER,
  email: null,
  emailVerified: true,
  isPro: false,
  canPay: false,
  avatarUrl: "",
  periodEnd: null,
  orgs: [],
  auth: { type: "access_token", accessToken: { displayName: LOCAL_USER, role: "write" } },
};
