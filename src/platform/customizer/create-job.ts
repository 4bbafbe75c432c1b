import type { JobCreate } from "../../training/wire/customizer.ts";
import type { Datastore } from "../datastore/datastore.ts";
import { DEFAULT_NAMESPACE, type EntityStore } from "../entities/entity-store.ts";
import { badField, conflict, notFound } from "../http/http-fault.ts";
import type { PlatformContext } from "../platform-context.ts";
import { transaction } from "../store/database.ts";
import type { CustomizerStore } from "./customizer-store.ts";
import { parsePromptTemplate } from "./dataset-row.ts";
import { findConfig, inlineConfig, readyTarget } from "./find-config.ts";
import { findDataset } from "./find-dataset.ts";
import { jobBody, modelEntity, snapshot } from "./job-entities.ts";
import { otherWarnings, refuseForeign, trainingOption } from "./job-offers.ts";
import { checkModelNames } from "./model-folders.ts";
import { outputModel, outputName } from "./output-model.ts";
import { revisionFiles } from "./revision-files.ts";
import type { DatasetSource, StoredJob } from "./stored.ts";
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
  const warnings = [...of_settings, ...otherWarnings(body, config, target)];
  const job: StoredJob = {
    ...jobBody(body, { id, namespace, context }),
    config_snapshot: snapshot(config, target, option),
    dataset: dataset.label,
    output_model: outputName(output),
    ...(warnings.length > 0 && { warnings }),
    _plan: {
      ...planned,
      target: { namespace: target.namespace, name: target.name },
      dataset: pinned(datastore, dataset.source),
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
    const entity = modelEntity(job, target, context);
    if (!entities.models.insert(entity, entity)) throw outputTaken(output);
    store.jobs.insert(job);
  });
  return job;
}

function needNamespace({ namespaces }: EntityStore, name: string): void {
  if (!namespaces.get({ namespace: "", name })) throw notFound(`Namespace ${name}`);
}

/** What is committed while the job waits is not for this job. */
function pinned(datastore: Datastore, source: DatasetSource): DatasetSource {
  const { repository, revision } = source;
  return { ...source, revision: datastore.commitAt("dataset", repository, revision) ?? revision };
}

function outputTaken({ namespace, name, revision }: StoredJob["_plan"]["output"]) {
  return conflict(`model or dataset with name ${name}@${revision} already exists in namespace ${namespace}`);
}
