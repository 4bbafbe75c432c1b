import { Hono } from "hono";
import { type Namespace, NamespaceCreate, NamespaceUpdate } from "../../training/wire/entity-store.ts";
import { conflict, notFound } from "../http/http-fault.ts";
import { listPage } from "../http/list-page.ts";
import { type ListFields, listQuery } from "../http/list-query.ts";
import { readAs } from "../http/read-body.ts";
import type { PlatformContext } from "../platform-context.ts";
import { deleted } from "./deleted.ts";
import type { EntityStore } from "./entity-store.ts";
import { given } from "./given.ts";

const FIELDS: ListFields = {
  sort: ["created_at"],
  filter: { namespace: { field: ["id"] }, project: { field: ["project"] } },
  search: ["id", "created_at", "updated_at", "custom_fields", "description", "namespace", "ownership", "project"],
};

/** `/v1/namespaces`. A namespace's name is its id; it may not be changed. */
export function namespaceRoutes({ namespaces }: EntityStore, { times, newId }: PlatformContext): Hono {
  const routes = new Hono();
  const keyOf = (id: string) => ({ namespace: "", name: id });
  function existing(id: string): Namespace {
    const found = namespaces.get(keyOf(id));
    if (found === undefined) throw notFound(`Namespace ${id}`);
    return found;
  }
  routes.post("/", async (c) => {
    const { id, ...fields } = given(await readAs(c, NamespaceCreate));
    const name = id ?? newId("namespace");
    const namespace: Namespace = {
      id: name,
      created_at: times.naive(),
      updated_at: times.naive(),
      ...{ description: null, project: null, custom_fields: {}, ownership: null },
      ...fields,
    };
    if (!namespaces.insert(keyOf(name), namespace)) throw conflict(`Namespace ${name} already exists`);
    return c.json(namespace);
  });
  routes.get("/", (c) => c.json(listPage(namespaces, listQuery(c.req.url, FIELDS))));
  routes.get("/:id", (c) => c.json(existing(c.req.param("id"))));
  routes.patch("/:id", async (c) => {
    const changes = given(await readAs(c, NamespaceUpdate));
    const changed = { ...existing(c.req.param("id")), ...changes, updated_at: times.naive() };
    namespaces.put(keyOf(changed.id), changed);
    return c.json(changed);
  });
  routes.delete("/:id", (c) => {
    const { id } = existing(c.req.param("id"));
    namespaces.remove(keyOf(id));
    return c.json(deleted(id, times));
  });
  return routes;
}
