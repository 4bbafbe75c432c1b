import { pathToFileURL } from "node:url";
import type { TrainingOption } from "../../training/wire/customizer.ts";
import type { BaseModel } from "../base-models.ts";
import type { EntityStore } from "../entities/entity-store.ts";
import type { PlatformContext } from "../platform-context.ts";
import { type CustomizerStore, factsOfTarget, kindsOf, putTarget } from "./customizer-store.ts";
import { DEFAULT_PROMPT_TEMPLATE } from "./find-config.ts";
import { fullName, type StoredTarget } from "./stored.ts";

interface SeedParts {
  store: CustomizerStore;
  entities: EntityStore;
  context: PlatformContext;
}

/**
 * Makes targets, configs and model entities of the folders that the platform was started with, and switches off the targets
 * of earlier starts' folders. A second start with the same folders changes nothing.
 */
export function seedModels(models: readonly BaseModel[], parts: SeedParts): void {
  const { store } = parts;
  const named = new Set<string>();
  for (const model of models) {
    named.add(seedModel(model, parts));
  }
  for (const target of store.targets.all()) {
    if (target._seeded && target.enabled && !named.has(fullName(target))) {
      putTarget(store, { ...target, enabled: false, _gone: true, updated_at: parts.context.times.naive() });
    }
  }
}

/** Gives back the target's name. */
function seedModel(model: BaseModel, { store, entities, context }: SeedParts): string {
  const { namespace, base, version, machine, context_size, num_parameters } = model;
  const stamps = () => ({ created_at: context.times.naive(), updated_at: context.times.naive() });
  const fields = { description: null, project: null, custom_fields: {}, ownership: null };
  entities.namespaces.insert({ namespace: "", name: namespace }, { id: namespace, ...stamps(), ...fields });
  const target = seedTarget(model, store, context);
  const config = { namespace, name: `${base}@${version}+${machine}` };
  const there = store.configs.get(config);
  const fresh = {
    ...stamps(),
    ...config,
    max_seq_length: context_size,
    training_precision: "fp32",
    prompt_template: DEFAULT_PROMPT_TEMPLATE,
    training_options: OPTIONS,
    ...kindsOf(OPTIONS),
    ...factsOfTarget(target, fullName(target)),
    _seeded: true,
  };
  // What a client changed about it stays.
  if (there === undefined) store.configs.insert(config, fresh);
  const spec = { num_parameters, context_size, num_virtual_tokens: 0, is_chat: model.is_chat };
  const entity = { namespace, name: base };
  const artifact = {
    ...{ status: "upload_completed" as const, files_url: pathToFileURL(model.dir).href },
    ...{ backend_engine: "hugging_face" as const, gpu_arch: "cpu", precision: "fp32", tensor_parallelism: 1 },
  };
  const known = entities.models.get(entity);
  if (known === undefined) {
    const first = { schema_version: "1.0", id: context.newId("model"), ...stamps(), ...entity, custom_fields: {} };
    entities.models.insert(entity, { ...first, base_model: `${namespace}/${base}`, spec, artifact });
  } else if (known.artifact?.files_url.startsWith("file:")) {
    entities.models.put(entity, { ...known, spec, artifact });
  }
  return fullName(target);
}

function seedTarget(model: BaseModel, store: CustomizerStore, { times, newId }: PlatformContext): StoredTarget {
  const { namespace, base, version, dir, num_parameters, is_chat, context_size } = model;
  const key = { namespace, name: `${base}@${version}` };
  const there = store.targets.get(key);
  const at = times.naive();
  const facts = {
    enabled: there === undefined || there._gone === true || there.enabled,
    model_path: dir,
    num_parameters,
    status: "ready" as const,
    _seeded: true,
    _gone: false,
    _is_chat: is_chat,
    _context_size: context_size,
  };
  const target: StoredTarget = {
    ...(there ?? { id: newId("target"), created_at: at, custom_fields: {} }),
    updated_at: at,
    ...key,
    base_model: `${namespace}/${base}`,
    model_type: "hf",
    precision: "fp32",
    ...facts,
  };
  const same = there && Object.entries(facts).every(([field, value]) => there[field as keyof StoredTarget] === value);
  if (!same) putTarget(store, target);
  return same ? there : target;
}

/** One processor, no accelerator; how much is computed at a time the engine decides itself. */
const OPTIONS: TrainingOption[] = (["sft", "dpo"] as const).flatMap((training_type) =>
  ["lora", "lora_merged", "all_weights"].map((finetuning_type) => ({
    ...{ training_type, finetuning_type, num_gpus: 0, num_nodes: 1, micro_batch_size: 1 },
    ...{ tensor_parallel_size: 1, pipeline_parallel_size: 1, data_parallel_size: 1, use_sequence_parallel: false },
  })),
);
