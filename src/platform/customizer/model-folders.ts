import { type PairwrightError, usageError } from "../../lib/errors.ts";
import { exists } from "../../lib/files.ts";
import type { ModelEntity } from "../../training/wire/entity-store.ts";
import type { PairwrightExtension } from "../../training/wire/hyperparameters.ts";
import type { Datastore } from "../datastore/datastore.ts";
import type { EntityStore } from "../entities/entity-store.ts";
import { badField, notFound } from "../http/http-fault.ts";
import type { CustomizerStore } from "./customizer-store.ts";
import { revisionFiles } from "./revision-files.ts";
import { keyOf, type StoredTarget } from "./stored.ts";

export interface ModelParts {
  store: CustomizerStore;
  entities: EntityStore;
  datastore: Datastore;
}

/**
 * Sees that the models that a job's extension names are there and are what they are wanted for. Errors: 404, or 422 for
 * an adapter, which is no model by itself, and for an output that is not there yet.
 */
export function checkModelNames(own: PairwrightExtension, parts: ModelParts): void {
  for (const field of ["start_from", "reference_model", "optimizer_from"] as const) {
    const name = own[field];
    if (name === undefined) continue;
    if (field !== "optimizer_from" && baseOf(name, parts) !== undefined) continue;
    const entity = parts.entities.models.get(keyOf(name));
    if (entity === undefined) throw notFound(`Model ${name}`);
    if (entity.artifact?.status !== "upload_completed") {
      throw badField(`hyperparameters.pairwright.${field}`, `the files of ${name} are not there`);
    }
    if (entity.peft !== undefined && field !== "optimizer_from") {
      throw badField(
        `hyperparameters.pairwright.${field}`,
        `${name} is an adapter; name a model that was trained with all_weights or lora_merged`,
      );
    }
  }
}

/** The folder of a model by its name: a base model's own, or `dir`, where an output's files are put. */
export async function modelFolder(name: string, dir: string, parts: ModelParts): Promise<string> {
  const base = baseOf(name, parts);
  if (base !== undefined) return base.model_path;
  // Whole, or not there: a job that goes on has it already.
  if (await exists(dir)) return dir;
  const { repository, revision } = placeOf(parts.entities.models.get(keyOf(name)), name);
  if (revisionFiles(parts.datastore, "model", repository, revision) === null) throw gone(name);
  await parts.datastore.checkout("model", repository, revision, dir);
  return dir;
}

/** The target of a base model that can be used now. */
function baseOf(name: string, { store }: ModelParts): StoredTarget | undefined {
  return store.targets.all().find(({ base_model, status, namespace, name: own }) => {
    return status === "ready" && (base_model === name || `${namespace}/${own}` === name);
  });
}

function placeOf(entity: ModelEntity | undefined, name: string): { repository: string; revision: string } {
  const found = /^hf:\/\/(?:models\/)?([^/@]+\/[^/@]+)(?:@([^/]+))?$/.exec(entity?.artifact?.files_url ?? "");
  const [, repository, revision = "main"] = found ?? [];
  if (repository === undefined) throw gone(name);
  return { repository, revision };
}

function gone(name: string): PairwrightError {
  return usageError({
    code: "model_gone",
    where: name,
    what: "its files are not in the Datastore any more",
    fix: "name another model",
  });
}
