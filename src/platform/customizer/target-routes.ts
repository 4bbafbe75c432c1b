import { type Context, Hono } from "hono";
import { TargetCreate, TargetUpdate } from "../../training/wire/customizer.ts";
import { deleted } from "../entities/deleted.ts";
import { DEFAULT_NAMESPACE } from "../entities/entity-store.ts";
import { given } from "../entities/given.ts";
import { badField, conflict, notFound } from "../http/http-fault.ts";
import { listPage } from "../http/list-page.ts";
import { type ListFields, listQuery } from "../http/list-query.ts";
import { readAs } from "../http/read-body.ts";
import type { JobParts } from "./create-job.ts";
import { putTarget } from "./customizer-store.ts";
import type { TargetFetcher } from "./fetch-target.ts";
import { fullName, type StoredTarget, shownTarget } from "./stored.ts";

const FIELDS: ListFields = {
  sort: ["created_at"],
  filter: {
    base_model: { field: ["base_model"] },
    enabled: { field: ["enabled"] },
    name: { field: ["name"] },
    namespace: { field: ["namespace"] },
    status: { field: ["status"] },
  },
  search: ["id", "name", "namespace", "description", "base_model", "created_at", "updated_at"],
};

/** `/v1/customization/targets`: models that may be trained. */
export function targetRoutes({ store, entities, context }: JobParts, fetcher: TargetFetcher): Hono {
  const { targets } = store;
  const { times, newId } = context;
  const routes = new Hono();
  function existing(c: Context): StoredTarget {
    const { namespace = "", name = "" } = c.req.param() as Record<string, string>;
    const target = targets.get({ namespace, name });
    if (target === undefined) throw notFound(`Customization target ${namespace}/${name}`);
    return target;
  }
  routes.post("/", async (c) => {
    const body = await readAs(c, TargetCreate);
    const fields = given(body);
    const id = newId("target");
    const { namespace = DEFAULT_NAMESPACE, name = id } = fields;
    const model_uri = usableUri(fields.model_uri);
    if (!entities.namespaces.get({ namespace: "", name: namespace })) throw notFound(`Namespace ${namespace}`);
    const target: StoredTarget = {
      ...{ id, created_at: times.naive(), updated_at: times.naive() },
      ...{ custom_fields: {}, enabled: true, base_model: `${namespace}/${name.split("@")[0]}` },
      ...fields,
      ...{ name, namespace, model_uri, num_parameters: body.num_parameters, precision: body.precision },
      // Where the platform keeps it: which folders of this machine are models is said at the start, by --models.
      model_path: fetcher.folderOf(id),
      model_type: "hf",
      status: "pending",
    };
    if (!targets.insert(target, target)) throw conflict(`Customization target ${namespace}/${name} already exists`);
    fetcher.fetch(target);
    return c.json(shownTarget(target));
  });
  routes.get("/", (c) => {
    const page = listPage(targets, listQuery(c.req.url, FIELDS));
    return c.json({ ...page, data: page.data.map(shownTarget) });
  });
  routes.get("/:namespace/:name", (c) => c.json(shownTarget(existing(c))));
  routes.patch("/:namespace/:name", async (c) => {
    const target = existing(c);
    const { model_path: _kept, model_uri, ...changes } = given(await readAs(c, TargetUpdate));
    if (model_uri !== undefined && model_uri !== target.model_uri) {
      throw badField("model_uri", "the model of a target stays; make another target");
    }
    const changed = { ...target, ...changes, updated_at: times.naive() };
    putTarget(store, changed);
    return c.json(shownTarget(changed));
  });
  routes.delete("/:namespace/:name", (c) => {
    const target = existing(c);
    const used = store.jobs.unfinished().find(({ _plan: { target: of } }) => fullName(of) === fullName(target));
    if (used !== undefined) throw conflict(`Target ${fullName(target)} is in use by job ${used.id}`);
    targets.remove(target);
    fetcher.forget(target);
    return c.json(deleted(target.id, times));
  });
  return routes;
}

function usableUri(uri: string | undefined): string {
  if (uri === undefined) throw badField("model_uri", "name a model of this platform's Datastore: hf://namespace/name");
  if (uri.startsWith("ngc://")) {
    throw badField(
      "model_uri",
      "ngc:// is not reached from here; upload the model to this platform's Datastore, and name it hf://namespace/name",
    );
  }
  if (/^hf:\/\/[^/@]+\/[^/@]+(@[^/]+)?$/.test(uri)) return uri;
  throw badField("model_uri", "must be hf://namespace/name or hf://namespace/name@revision");
}
