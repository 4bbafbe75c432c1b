import { Hono } from "hono";
import {
  DatasetCreate,
  DatasetUpdate,
  ModelCreate,
  type ModelEntity,
  ModelUpdate,
  ProjectCreate,
  ProjectUpdate,
} from "../../training/wire/entity-store.ts";
import type { ListFields } from "../http/list-query.ts";
import type { PlatformContext } from "../platform-context.ts";
import type { EntityStore } from "./entity-store.ts";
import { namespaceRoutes } from "./namespace-routes.ts";
import { placedRoutes } from "./placed-routes.ts";

const SORT = ["created_at", "updated_at", "name"];
const SEARCH = ["id", "name", "namespace", "description", "project", "created_at", "updated_at", "custom_fields"];
const PLACE: ListFields["filter"] = {
  name: { field: ["name"] },
  namespace: { field: ["namespace"] },
  project: { field: ["project"] },
};

/** The Entity Store under `/v1`: namespaces, data sets, models, projects. */
export function entityRoutes(store: EntityStore, context: PlatformContext): Hono {
  const routes = new Hono();
  routes.route("/namespaces", namespaceRoutes(store, context));
  const datasets = {
    noun: "dataset",
    entities: store.datasets,
    create: DatasetCreate,
    update: DatasetUpdate,
    fields: { sort: SORT, filter: PLACE, search: [...SEARCH, "files_url", "format", "split"] },
  };
  routes.route("/datasets", placedRoutes(datasets, store, context));
  const models = {
    noun: "model",
    entities: store.models,
    create: ModelCreate,
    update: ModelUpdate,
    fields: { sort: SORT, filter: MODEL_FILTER, search: [...SEARCH, "base_model", "peft"] },
    shown: alsoForOpenAi,
  };
  routes.route("/models", placedRoutes(models, store, context));
  const projects = {
    noun: "project",
    entities: store.projects,
    create: ProjectCreate,
    update: ProjectUpdate,
    fields: { sort: SORT, filter: PLACE, search: SEARCH },
  };
  routes.route("/projects", placedRoutes(projects, store, context));
  return routes;
}

/** The inference API lists its models under the same path: an entity holds what both kinds of client read. */
function alsoForOpenAi({ namespace, name, created_at }: ModelEntity) {
  const created = Math.floor(Date.parse(`${created_at}Z`) / 1000);
  return { id: `${namespace}/${name}`, object: "model", created, owned_by: namespace };
}

const MODEL_FILTER: ListFields["filter"] = {
  ...PLACE,
  base_model: { field: ["base_model"] },
  "base_model[name]": { field: ["base_model"] },
  peft: { field: ["peft"], as: "present" },
  "peft[lora]": { field: ["peft", "lora"], as: "present" },
  prompt: { field: ["prompt"], as: "present" },
  created_at: { field: ["created_at"], as: "range" },
};
