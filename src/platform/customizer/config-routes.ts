import { type Context, Hono } from "hono";
import { ConfigCreate, ConfigUpdate, type TrainingOption } from "../../training/wire/customizer.ts";
import { deleted } from "../entities/deleted.ts";
import { DEFAULT_NAMESPACE } from "../entities/entity-store.ts";
import { given } from "../entities/given.ts";
import { badField, conflict, notFound } from "../http/http-fault.ts";
import { listPage } from "../http/list-page.ts";
import { type ListFields, type ListQuery, listQuery } from "../http/list-query.ts";
import { readAs } from "../http/read-body.ts";
import type { JobParts } from "./create-job.ts";
import { factsOfTarget, kindsOf } from "./customizer-store.ts";
import { parsePromptTemplate } from "./dataset-row.ts";
import { DEFAULT_PROMPT_TEMPLATE, noChatTemplate } from "./find-config.ts";
import { fullName, keyOf, type StoredConfig, shownConfig } from "./stored.ts";

const FIELDS: ListFields = {
  sort: ["created_at", "updated_at", "name", "target_enabled", "num_parameters"],
  filter: {
    name: { field: ["name"] },
    namespace: { field: ["namespace"] },
    project: { field: ["project"] },
    finetuning_type: { field: ["_finetuning_types"] },
    training_type: { field: ["_training_types"] },
    target_base_model: { field: ["target_base_model"] },
    target_enabled: { field: ["target_enabled"] },
    target_name: { field: ["target_name"] },
  },
  search: ["name", "namespace", "description", "created_at", "updated_at", "training_options", "target"],
};

/** `/v1/customization/configs`: how targets may be trained. */
export function configRoutes({ store, entities, context }: JobParts): Hono {
  const { configs, targets } = store;
  const { times, newId } = context;
  const routes = new Hono();
  const shown = (config: StoredConfig) => shownConfig(config, targets.get(keyOf(config.target)));
  function existing(c: Context): StoredConfig {
    const { namespace = "", name = "" } = c.req.param() as Record<string, string>;
    const config = configs.get({ namespace, name });
    if (config === undefined) throw notFound(`Customization config ${namespace}/${name}`);
    return config;
  }
  routes.post("/", async (c) => {
    const body = await readAs(c, ConfigCreate);
    const { target: named, ...fields } = given(body);
    if (typeof named !== "string") throw badField("target", "name a target of this platform: namespace/name");
    checkTemplates(fields);
    const { namespace = DEFAULT_NAMESPACE, name = newId("config") } = fields;
    if (!entities.namespaces.get({ namespace: "", name: namespace })) throw notFound(`Namespace ${namespace}`);
    const target = targets.get(keyOf(named));
    if (target === undefined) throw notFound(`Customization target ${named}`);
    const config: StoredConfig = {
      ...{ created_at: times.naive(), updated_at: times.naive() },
      prompt_template: DEFAULT_PROMPT_TEMPLATE,
      ...fields,
      ...{ max_seq_length: body.max_seq_length, training_options: body.training_options },
      ...{ name, namespace },
      ...kindsOf(body.training_options),
      ...factsOfTarget(target, fullName(target)),
    };
    if (!configs.insert(config, config)) throw conflict(`Customization config ${namespace}/${name} already exists`);
    return c.json(shown(config));
  });
  routes.get("/", (c) => {
    const page = listPage(configs, configQuery(c.req.url));
    return c.json({ ...page, data: page.data.map(shown) });
  });
  routes.get("/:namespace/:name", (c) => c.json(shown(existing(c))));
  routes.patch("/:namespace/:name", async (c) => {
    const config = existing(c);
    const body = given(await readAs(c, ConfigUpdate));
    const { add_training_options = [], remove_training_options = [], ...changes } = body;
    checkTemplates(changes);
    const kept = (changes.training_options ?? config.training_options).filter(
      (option) => ![...remove_training_options, ...add_training_options].some((other) => sameKind(option, other)),
    );
    const training_options = [...kept, ...add_training_options];
    if (training_options.length === 0) throw badField("remove_training_options", "one has to be left");
    const changed: StoredConfig = {
      ...{ ...config, ...changes, training_options, updated_at: times.naive() },
      ...kindsOf(training_options),
    };
    configs.put(changed, changed);
    return c.json({ ...shown(changed), message: "Jobs that were made before keep the config as it was." });
  });
  routes.delete("/:namespace/:name", (c) => {
    const config = existing(c);
    configs.remove(config);
    return c.json(deleted(fullName(config), times));
  });
  return routes;
}

/** What a config offers is a list: it is looked for in it. */
function configQuery(url: string): ListQuery {
  const query = listQuery(url, FIELDS);
  const where = query.where.map((condition) =>
    condition.field[0]?.startsWith("_")
      ? { ...condition, is: "contains" as const, values: condition.values.map((value) => `/${value}/`) }
      : condition,
  );
  return { ...query, where };
}

function checkTemplates(fields: { prompt_template?: string; chat_prompt_template?: string }): void {
  if (fields.chat_prompt_template !== undefined) throw noChatTemplate("chat_prompt_template");
  const { prompt_template } = fields;
  if (prompt_template !== undefined && parsePromptTemplate(prompt_template) === undefined) {
    throw badField("prompt_template", 'must have exactly two {placeholders}, such as "{prompt} {completion}"');
  }
}

type Kind = Pick<TrainingOption, "training_type" | "finetuning_type">;

function sameKind(one: Kind, other: Kind): boolean {
  return one.training_type === other.training_type && one.finetuning_type === other.finetuning_type;
}
