import { type Context, Hono } from "hono";
import type { RepoType, TreeItem } from "../../training/wire/hub.ts";
import { readBody } from "../http/read-body.ts";
import type { DatastoreParts } from "./datastore.ts";
import { entryNotFound, hubFault } from "./hub-fault.ts";
import { API_PARTS, cursorOf, isOn, limitOf, nextLink, partsBehind, repoKeyOf, revisionOf } from "./hub-request.ts";
import { findEntry, walk } from "./tree.ts";
import { treeItem, withLastCommits } from "./tree-items.ts";

const PAGE = 1000;
/** Of entries with their last commit, which is looked for. */
const EXPANDED_PAGE = 100;

/** `tree` and `paths-info` of repositories of one type, below `/v1/hf/api/{type}s/{ns}/{name}`. */
export function treeRoutes(store: DatastoreParts, type: RepoType): Hono {
  const routes = new Hono();
  routes.get("/tree/*", (c) => {
    const repo = store.repos.get(repoKeyOf(c, type));
    const { commit, path } = revisionOf(store, repo, partsBehind(c, API_PARTS));
    const folder = findEntry(store.trees, commit.tree, path);
    if (folder?.kind !== "tree") throw entryNotFound(path);
    const expand = isOn(c.req.query("expand"));
    const { items, next } = page(c, { store, root: folder.oid, before: path, most: expand ? EXPANDED_PAGE : PAGE });
    const shown = expand ? withLastCommits(store, repo, commit, items) : items;
    return c.json(shown, 200, next === undefined ? {} : nextLink(c, next));
  });
  routes.post("/paths-info/*", async (c) => {
    const repo = store.repos.get(repoKeyOf(c, type));
    const { commit } = revisionOf(store, repo, partsBehind(c, API_PARTS));
    const { paths, expand } = await readPaths(c);
    const items = paths.flatMap((path) => {
      const plain = path.replace(/^\.?\/+|\/+$/g, "");
      const entry = plain === "" ? undefined : findEntry(store.trees, commit.tree, plain);
      return entry === undefined ? [] : [treeItem(plain, entry)];
    });
    return c.json(expand ? withLastCommits(store, repo, commit, items) : items);
  });
  return routes;
}

interface Listed {
  store: DatastoreParts;
  root: string;
  /** Path of the root. */
  before: string;
  most: number;
}

/** One page, and the path after which the next one begins. */
function page(c: Context, { store, root, before, most }: Listed): { items: TreeItem[]; next?: string } {
  const limit = limitOf(c, most);
  const items: TreeItem[] = [];
  const prefix = before === "" ? "" : `${before}/`;
  for (const { path, entry } of walk(store.trees, {
    root,
    recursive: isOn(c.req.query("recursive")),
    after: cursorOf(c),
  })) {
    const last = items.at(-1);
    if (items.length === limit && last !== undefined) return { items, next: last.path.slice(prefix.length) };
    items.push(treeItem(prefix + path, entry));
  }
  return { items };
}

const MOST_PATHS = 100_000;

/** Python sends a form, JavaScript JSON. */
async function readPaths(c: Context): Promise<{ paths: string[]; expand: boolean }> {
  const text = (await readBody(c)).toString("utf8");
  const isForm = /^application\/x-www-form-urlencoded/i.test(c.req.header("content-type") ?? "");
  const { paths, expand } = isForm ? fromForm(text) : fromJson(text);
  if (!Array.isArray(paths) || !paths.every((path) => typeof path === "string")) {
    throw hubFault(400, "paths must be a list of texts");
  }
  if (paths.length > MOST_PATHS) throw hubFault(413, `${MOST_PATHS} paths at most`);
  return { paths, expand: isOn(String(expand)) };
}

function fromForm(text: string): { paths: unknown; expand: unknown } {
  const form = new URLSearchParams(text);
  return { paths: form.getAll("paths"), expand: form.get("expand") };
}

function fromJson(text: string): { paths?: unknown; expand?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    throw hubFault(400, "the body is not valid JSON");
  }
}
