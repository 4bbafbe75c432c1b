import { type Context, Hono } from "hono";
import type { z } from "zod";
import type { Placed } from "../../training/wire/entity-store.ts";
import { conflict, notFound } from "../http/http-fault.ts";
import { listPage } from "../http/list-page.ts";
import { type ListFields, listQuery } from "../http/list-query.ts";
import { readAs } from "../http/read-body.ts";
import type { PlatformContext } from "../platform-context.ts";
import type { Collection } from "../store/collection.ts";
import { deleted } from "./deleted.ts";
import { DEFAULT_NAMESPACE, type EntityStore } from "./entity-store.ts";
import { given } from "./given.ts";

interface PlacedNames {
  name?: string | null | undefined;
  namespace?: string | null | undefined;
}

/** A kind of entity that lies in a namespace under a name. */
export interface PlacedKind<T extends Placed> {
  /** In messages, and the prefix of ids: `dataset`. */
  noun: string;
  entities: Collection<T>;
  create: z.ZodType<PlacedNames>;
  update: z.ZodType<object>;
  fields: ListFields;
  /** What answers hold beside the entity. */
  shown?: (entity: T) => object;
}

/**
 * Create, list, get, patch and delete of one kind, as the Entity Store has them. A missing namespace is `default`, a
 * missing name the id; a namespace that nobody made is a 404.
 */
export function placedRoutes<T extends Placed>(
  kind: PlacedKind<T>,
  { namespaces }: EntityStore,
  { times, newId }: PlatformContext,
): Hono {
  const { noun, entities } = kind;
  const title = `${noun.charAt(0).toUpperCase()}${noun.slice(1)}`;
  const routes = new Hono();
  const shown = (entity: T) => ({ ...entity, ...kind.shown?.(entity) });
  function existing(c: Context): T {
    const { namespace = "", name = "" } = c.req.param() as Record<string, string>;
    const found = entities.get({ namespace, name });
    if (found === undefined) throw notFound(`${title} ${namespace}/${name}`);
    return found;
  }
  routes.post("/", async (c) => {
    const fields = given(await readAs(c, kind.create));
    const id = newId(noun);
    const { name = id, namespace = DEFAULT_NAMESPACE } = fields;
    if (!namespaces.get({ namespace: "", name: namespace })) throw notFound(`Namespace ${namespace}`);
    const stamps = { created_at: times.naive(), updated_at: times.naive() };
    // The schema of the kind made these fields what T has.
    const entity = {
      schema_version: "1.0",
      id,
      ...stamps,
      custom_fields: {},
      ...fields,
      name,
      namespace,
    } as Placed as T;
    if (!entities.insert({ namespace, name }, entity)) throw conflict(`${title} ${namespace}/${name} already exists`);
    return c.json(shown(entity));
  });
  routes.get("/", (c) => {
    const page = listPage(entities, listQuery(c.req.url, kind.fields));
    return c.json({ ...page, data: page.data.map(shown) });
  });
  routes.get("/:namespace/:name", (c) => c.json(shown(existing(c))));
  routes.patch("/:namespace/:name", async (c) => {
    const changes = given(await readAs(c, kind.update));
    const changed = { ...existing(c), ...changes, updated_at: times.naive() };
    entities.put(changed, changed);
    return c.json(shown(changed));
  });
  routes.delete("/:namespace/:name", (c) => {
    const entity = existing(c);
    entities.remove(entity);
    return c.json(deleted(entity.id, times));
  });
  return routes;
}
