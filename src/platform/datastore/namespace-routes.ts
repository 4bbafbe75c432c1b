import { type Context, Hono } from "hono";
import { z } from "zod";
import { RepoNamespace } from "../../training/wire/hub.ts";
import { conflict, fieldFaults, notFound, unprocessable } from "../http/http-fault.ts";
import { readBody } from "../http/read-body.ts";
import type { DatastoreParts } from "./datastore.ts";

const NamespaceCreate = z.object({ namespace: RepoNamespace });

/** `/v1/datastore/namespaces`. */
export function datastoreNamespaceRoutes({ namespaces, repos }: DatastoreParts): Hono {
  const routes = new Hono();
  routes.post("/", async (c) => {
    const { namespace } = await readNamespace(c);
    const made = namespaces.create(namespace);
    if (made === undefined) throw conflict(`Namespace ${namespace} already exists`);
    return c.json(made, 201);
  });
  routes.get("/", (c) => c.json(namespaces.all()));
  routes.get("/:name", (c) => {
    const name = c.req.param("name");
    const found = namespaces.get(name);
    if (found === undefined) throw notFound(`Namespace ${name}`);
    // So the real service answers; its users expect it.
    return c.json(found, 201);
  });
  routes.delete("/:name", (c) => {
    const name = c.req.param("name");
    if (!namespaces.get(name)) throw notFound(`Namespace ${name}`);
    const held = (["dataset", "model"] as const).some((type) => repos.list(type, name).length > 0);
    if (held) throw conflict(`Namespace ${name} holds repositories; delete them first`);
    namespaces.remove(name);
    return c.body(null, 204);
  });
  return routes;
}

/** A form, as the seeds send it, or JSON. */
async function readNamespace(c: Context): Promise<z.output<typeof NamespaceCreate>> {
  const text = (await readBody(c)).toString("utf8");
  const parsed = NamespaceCreate.safeParse(jsonOf(text) ?? Object.fromEntries(new URLSearchParams(text)));
  if (parsed.success) return parsed.data;
  throw unprocessable(...fieldFaults("body", parsed.error));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
