import type { Dataset, ModelEntity, Namespace, Project } from "../../training/wire/entity-store.ts";
import { type Collection, collection } from "../store/collection.ts";
import type { Database } from "../store/database.ts";

/** Where things lie whose namespace nobody named; always there. */
export const DEFAULT_NAMESPACE = "default";

/** What the Entity Store keeps. Other parts of the platform read and write here without HTTP. */
export interface EntityStore {
  namespaces: Collection<Namespace>;
  datasets: Collection<Dataset>;
  models: Collection<ModelEntity>;
  projects: Collection<Project>;
}

export function entityStore(database: Database): EntityStore {
  return {
    namespaces: collection(database, "namespace"),
    datasets: collection(database, "dataset"),
    models: collection(database, "model"),
    projects: collection(database, "project"),
  };
}
