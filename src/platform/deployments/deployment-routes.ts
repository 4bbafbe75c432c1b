import { type Context, Hono } from "hono";
import { type ModelDeployment, ModelDeploymentCreate, ModelDeploymentUpdate } from "../../training/wire/deployment.ts";
import { deleted } from "../entities/deleted.ts";
import { DEFAULT_NAMESPACE } from "../entities/entity-store.ts";
import { given } from "../entities/given.ts";
import { badField, conflict, notFound } from "../http/http-fault.ts";
import { listPage } from "../http/list-page.ts";
import { type ListFields, listQuery } from "../http/list-query.ts";
import { readAs } from "../http/read-body.ts";
import type { PlatformContext } from "../platform-context.ts";
import { configOf } from "./deployed-model.ts";
import type { Deployer, DeploymentStore } from "./deployer.ts";

const FIELDS: ListFields = {
  sort: ["created_at", "updated_at", "name"],
  filter: {
    name: { field: ["name"] },
    namespace: { field: ["namespace"] },
    project: { field: ["project"] },
    config: { field: ["config"] },
    status: { field: ["status_details", "status"] },
    "status_details[status]": { field: ["status_details", "status"] },
  },
  search: ["name", "namespace", "description", "project", "created_at", "updated_at"],
};

/** What a deployment begins with, and begins again with where it serves nothing when its config changes. */
const PENDING = {
  deployed: false,
  models: [],
  status_details: { status: "pending" as const, description: "Model deployment created" },
  url: "",
};

/** With another config, one that serves a model serves it until the new one is there. */
const REPLACED = { status_details: { status: "pending" as const, description: "Model deployment changed" } };

/** `/v1/deployment/model-deployments`: pending, then ready or failed with the reason. */
export function modelDeploymentRoutes(
  { deployments, configs }: DeploymentStore,
  deployer: Deployer,
  { times, newId }: PlatformContext,
): Hono {
  const routes = new Hono();
  function existing(c: Context): ModelDeployment {
    const { namespace = "", name = "" } = c.req.param() as Record<string, string>;
    const found = deployments.get({ namespace, name });
    if (found === undefined) throw notFound(`Model deployment ${namespace}/${name}`);
    return found;
  }
  function check({ config }: { config?: ModelDeployment["config"] }): void {
    if (config === undefined) return;
    if (typeof config !== "string" && config.external_endpoint) {
      throw badField("config.external_endpoint", "is not supported here: this platform serves models of its own");
    }
    configOf({ config }, configs);
  }
  routes.post("/", async (c) => {
    // A token for models elsewhere is nothing to keep; which models are served is found out here.
    const { hf_token: _token, models: _models, ...body } = given(await readAs(c, ModelDeploymentCreate));
    const { config } = body;
    if (config === undefined) throw badField("config", "a deployment needs a config");
    check({ config });
    const id = newId("deployment");
    const { name = id, namespace = DEFAULT_NAMESPACE } = body;
    const stamps = { created_at: times.zoned(), updated_at: times.zoned() };
    const rest = { schema_version: "1.0", id, async_enabled: false, ...stamps };
    const deployment: ModelDeployment = { ...rest, ...body, ...PENDING, config, name, namespace };
    if (!deployments.insert(deployment, deployment)) {
      throw conflict(`model deployment already exists: ${namespace}/${name}`);
    }
    deployer.begin(deployment);
    return c.json(deployment);
  });
  routes.get("/", (c) => c.json(listPage(deployments, listQuery(c.req.url, FIELDS))));
  routes.get("/:namespace/:name", (c) => c.json(existing(c)));
  routes.patch("/:namespace/:name", async (c) => {
    const before = existing(c);
    const { hf_token: _token, models: _models, ...changes } = given(await readAs(c, ModelDeploymentUpdate));
    check(changes);
    const again = changes.config === undefined ? {} : before.deployed ? REPLACED : PENDING;
    const changed: ModelDeployment = { ...before, ...changes, ...again, updated_at: times.zoned() };
    deployments.put(changed, changed);
    if (changes.config !== undefined) deployer.begin(changed);
    return c.json(changed);
  });
  routes.delete("/:namespace/:name", (c) => {
    const deployment = existing(c);
    deployments.remove(deployment);
    deployer.end(deployment);
    return c.json(deleted(deployment.id, times));
  });
  return routes;
}
