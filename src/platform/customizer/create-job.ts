import type { JobCreate, TrainingOption } from "../../training/wire/customizer.ts";
import type { ModelEntity } from "../../training/wire/entity-store.ts";
import type { Hyperparameters } from "../../training/wire/hyperparameters.ts";
import type { Datastore } from "../datastore/datastore.ts";
import { DEFAULT_NAMESPACE, type EntityStore } from "../entities/entity-store.ts";
import { given } from "../entities/given.ts";
import { badField, conflict, notFound } from "../http/http-fault.ts";
import type { PlatformContext } from "../platform-context.ts";
import { transaction } from "../store/database.ts";
import type { CustomizerStore } from "./customizer-store.ts";
import { parsePromptTemplate } from "./dataset-row.ts";
import { findConfig, inlineConfig, readyTarget, type UsedConfig } from "./find-config.ts";
import { findDataset } from "./find-dataset.ts";
import { firstStatus } from "./job-progress.ts";
import { checkModelNames } from "./model-folders.ts";
import { outputModel, outputName } from "./output-model.ts";
import { revisionFiles } from "./revision-files.ts";
import type { StoredJob, StoredTarget } from "./stored.ts";
import { trainingSettings } from "./training-settings.ts";

export interface JobParts {
  store: CustomizerStore;
  entities: EntityStore;
  datastore: Datastore;
  context: PlatformContext;
}

/**
 * Makes a job, and the entity of the model that will come of it: both are on disk when this returns, and nothing runs yet.
 * Errors: 404 for what a name does not lead to, 409 where the output is there or the target is not ready, 422.
 */
export function createJob(body: JobCreate, parts: JobParts): StoredJob {
  const { store, entities, datastore, context } = parts;
  const { hyperparameters } = body;
  const namespace = body.namespace ?? DEFAULT_NAMESPACE;
  refuseForeign(body);
  needNamespace(entities, namespace);
  const config = typeof body.config === "string" ? findConfig(store, body.config) : inlineConfig(body.config);
  const target = readyTarget(store, config.target);
  const option = trainingOption(config, hyperparameters);
  const settings = trainingSettings(hyperparameters, config.max_seq_length);
  if (parsePromptTemplate(config.prompt_template) === undefined) {
    throw badField("config", "its prompt_template must have exactly two {placeholders}");
  }
  const dataset = findDataset(entities, body.dataset);
  const { pairwright: own = {} } = hyperparameters;
  checkModelNames(own, parts);
  const id = context.newId("cust");
  const { finetuning_type } = hyperparameters;
  const facts = { id, namespace, base_model: target.base_model, dataset: dataset.name, finetuning_type };
  const output = outputModel(body.output_model ?? undefined, facts);
  needNamespace(entities, output.namespace);
  const { name, revision } = output;
  if (revisionFiles(datastore, "model", `${output.namespace}/${name}`, revision) !== null) throw outputTaken(output);
  const { warnings: of_settings, ...planned } = settings;
  const warnings = [...of_settings, ...otherWarnings(body, config)];
  const job: StoredJob = {
    ...jobBody(body, { id, namespace, context }),
    config_snapshot: snapshot(config, target, option),
    dataset: dataset.label,
    output_model: outputName(output),
    ...(warnings.length > 0 && { warnings }),
    _plan: {
      ...planned,
      target: { namespace: target.namespace, name: target.name },
      dataset: dataset.source,
      prompt_template: config.prompt_template,
      start_from: own.start_from ?? null,
      reference_model: own.reference_model ?? null,
      optimizer_from: own.optimizer_from ?? null,
      save_optimizer: own.save_optimizer ?? false,
      output,
    },
    _places: `/${namespace}/${dataset.namespace}/`,
    _files_url: dataset.files_url,
  };
  transaction(context.database, () => {
    if (
      !entities.models.insert(
        { namespace: output.namespace, name: `${name}@${revision}` },
        modelEntity(job, target, context),
      )
    ) {
      throw outputTaken(output);
    }
    store.jobs.insert(job);
  });
  return job;
}

/** What a client said of its job, and where it stands at first. */
function jobBody(
  body: JobCreate,
  { id, namespace, context: { times } }: { id: string; namespace: string; context: PlatformContext },
) {
  const { description, project, custom_fields, ownership, dataset_parameters, integrations, name } = given(body);
  const stamps = { created_at: times.naive(), updated_at: times.naive() };
  const said = given({ description, project, custom_fields, ownership, dataset_parameters, integrations });
  return {
    id,
    ...stamps,
    name: name ?? id,
    namespace,
    ...said,
    config: body.config,
    hyperparameters: echoed(body.hyperparameters),
    status: "created" as const,
    status_details: firstStatus(times.naive()),
  };
}

/** Hyperparameters as they came, with the two defaults that the service fills in. */
function echoed(hyperparameters: Hyperparameters): Record<string, unknown> {
  const plain: Record<string, unknown> = given(hyperparameters);
  const is_lora = hyperparameters.finetuning_type !== "all_weights";
  return {
    ...plain,
    ...(is_lora && { lora: { alpha: 16, ...given(hyperparameters.lora ?? {}) } }),
    sequence_packing_enabled: hyperparameters.sequence_packing_enabled ?? false,
  };
}

function snapshot(config: UsedConfig, target: StoredTarget, option: TrainingOption): StoredJob["config_snapshot"] {
  const { max_seq_length, prompt_template } = config;
  return {
    base_model: target.base_model,
    precision: "fp32",
    max_seq_length,
    prompt_template,
    training_option: given(option),
  };
}

/** The first that fits. `lora_merged` is trained as LoRA is. Errors: 422. */
function trainingOption(config: UsedConfig, wanted: Hyperparameters): TrainingOption {
  const { finetuning_type, training_type = "sft" } = wanted;
  const found = config.training_options.find(
    (option) => option.training_type === (training_type ?? "sft") && option.finetuning_type === finetuning_type,
  );
  if (found !== undefined) return found;
  const known = config.training_options.map((option) => `${option.training_type} with ${option.finetuning_type}`);
  throw badField(
    "hyperparameters.training_type",
    `the config does not offer ${training_type ?? "sft"} with ${finetuning_type}; it has ${known.join(", ")}`,
  );
}

/** What other machines would do and this one does not is refused, unless the model is the same without it. */
function refuseForeign({ dataset_parameters }: JobCreate): void {
  const [name] = Object.keys(given(dataset_parameters ?? {}));
  if (name !== undefined) throw badField(`dataset_parameters.${name}`, "is not done on this machine; leave it out");
}

function otherWarnings({ integrations }: JobCreate, config: UsedConfig) {
  const { training_precision } = config;
  const warnings: { message: string; explanation: string }[] = [];
  if (typeof training_precision === "string" && training_precision !== "fp32") {
    warnings.push({
      message: `training_precision ${training_precision} is not used`,
      explanation: "this platform trains on the processor, in fp32",
    });
  }
  for (const { type } of integrations ?? []) {
    warnings.push({
      message: `the integration ${type} gets nothing`,
      explanation: "this platform sends nothing to other services; the curves are in the job's status",
    });
  }
  return warnings;
}

function needNamespace({ namespaces }: EntityStore, name: string): void {
  if (!namespaces.get({ namespace: "", name })) throw notFound(`Namespace ${name}`);
}

function modelEntity(job: StoredJob, target: StoredTarget, { times, newId }: PlatformContext): ModelEntity {
  const { namespace, name, revision } = job._plan.output;
  const { finetuning_type } = job.hyperparameters;
  const stamps = { created_at: times.naive(), updated_at: times.naive() };
  return {
    schema_version: "1.0",
    id: newId("model"),
    ...stamps,
    name: `${name}@${revision}`,
    namespace,
    custom_fields: {},
    ...given({ description: job.description, project: job.project }),
    base_model: target.base_model,
    spec: {
      num_parameters: target.num_parameters,
      context_size: job.config_snapshot.max_seq_length,
      num_virtual_tokens: 0,
      is_chat: target._is_chat ?? true,
    },
    artifact: {
      gpu_arch: "cpu",
      precision: "fp32",
      tensor_parallelism: 1,
      backend_engine: "hugging_face",
      status: "created",
      files_url: `hf://${outputName(job._plan.output)}`,
    },
    ...(finetuning_type === "lora" && { peft: { finetuning_type: "lora" } }),
  };
}

function outputTaken({ namespace, name, revision }: StoredJob["_plan"]["output"]) {
  return conflict(`model or dataset with name ${name}@${revision} already exists in namespace ${namespace}`);
}
