import { type Context, Hono } from "hono";
import {
  type DeploymentConfig,
  DeploymentConfigCreate,
  DeploymentConfigUpdate,
} from "../../training/wire/deployment.ts";
import { deleted } from "../entities/deleted.ts";
import { DEFAULT_NAMESPACE } from "../entities/entity-store.ts";
import { given } from "../entities/given.ts";
import { badField, conflict, notFound } from "../http/http-fault.ts";
import { listPage } from "../http/list-page.ts";
import { type ListFields, listQuery } from "../http/list-query.ts";
import { readAs } from "../http/read-body.ts";
import type { PlatformContext } from "../platform-context.ts";
import type { DeploymentStore } from "./deployer.ts";

const FIELDS: ListFields = {
  sort: ["created_at", "updated_at", "name"],
  filter: {
    name: { field: ["name"] },
    namespace: { field: ["namespace"] },
    project: { field: ["project"] },
    model: { field: ["model"] },
  },
  search: ["name", "namespace", "description", "project", "model", "created_at", "updated_at"],
};

/**
 * `/v1/deployment/configs`: what is to be served. `nim_deployment` is kept and means nothing here: there is one machine
 * and no image. `external_endpoint` is refused: nothing is passed on to other servers.
 */
export function deploymentConfigRoutes({ configs }: DeploymentStore, { times, newId }: PlatformContext): Hono {
  const routes = new Hono();
  function existing(c: Context): DeploymentConfig {
    const { namespace = "", name = "" } = c.req.param() as Record<string, string>;
    const found = configs.get({ namespace, name });
    if (found === undefined) throw notFound(`Deployment config ${namespace}/${name}`);
    return found;
  }
  routes.post("/", async (c) => {
    const body = given(await readAs(c, DeploymentConfigCreate));
    refuseExternal(body);
    const id = newId("deployment-config");
    const { name = id, namespace = DEFAULT_NAMESPACE } = body;
    const stamps = { created_at: times.zoned(), updated_at: times.zoned() };
    const config: DeploymentConfig = { schema_version: "1.0", id, ...stamps, ...body, name, namespace };
    if (!configs.insert(config, config)) throw conflict(`deployment config ${namespace}/${name} already exists`);
    return c.json(config);
  });
  routes.get("/", (c) => c.json(listPage(configs, listQuery(c.req.url, FIELDS))));
  routes.get("/:namespace/:name", (c) => c.json(existing(c)));
  routes.patch("/:namespace/:name", async (c) => {
    const changes = given(await readAs(c, DeploymentConfigUpdate));
    refuseExternal(changes);
    const changed = { ...existing(c), ...changes, updated_at: times.zoned() };
    configs.put(changed, changed);
    return c.json(changed);
  });
  routes.delete("/:namespace/:name", (c) => {
    const config = existing(c);
    configs.remove(config);
    return c.json(deleted(config.id, times));
  });
  return routes;
}

function refuseExternal({ external_endpoint }: { external_endpoint?: unknown }): void {
  if (external_endpoint === undefined) return;
  throw badField("external_endpoint", "is not supported here: this platform serves models of its own", "unsupported");
}
