import { Hono } from "hono";
import type { PlatformContext } from "../platform-context.ts";
import type { DatastoreParts } from "./datastore.ts";
import { hubRoutes, rootLfsRoutes } from "./hub-routes.ts";
import { datastoreNamespaceRoutes } from "./namespace-routes.ts";

/** Every path of the Datastore; to be put at the root, where Git LFS has its place. */
export function datastoreRoutes(store: DatastoreParts, context: PlatformContext): Hono {
  const routes = new Hono();
  routes.route("/v1/datastore/namespaces", datastoreNamespaceRoutes(store));
  routes.route("/v1/hf", hubRoutes(store, context));
  routes.route("/:ns/:name{[^/]+\\.git}/info/lfs/objects", rootLfsRoutes(store, context));
  return routes;
}
