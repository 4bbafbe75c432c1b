import type { JobCreate } from "../../training/wire/customizer.ts";
import type { EntityStore } from "../entities/entity-store.ts";
import { badField, notFound } from "../http/http-fault.ts";
import { type DatasetSource, fullName, keyOf } from "./stored.ts";

/** The data set that a job names. */
export interface FoundDataset {
  /** As the job shows it: `namespace/name`, or the URL where there is no entity. */
  label: string;
  namespace: string;
  name: string;
  files_url: string;
  source: DatasetSource;
}

/** By the name of its entity, or by the URL of its files. Errors: 404 for a name that nobody registered, 422. */
export function findDataset({ datasets }: EntityStore, given: JobCreate["dataset"]): FoundDataset {
  const url = typeof given === "string" ? (given.startsWith("hf://") ? given : undefined) : given.files_url;
  const name = typeof given === "string" ? given : given.name;
  if (url && (typeof given === "string" || !given.name)) {
    const source = sourceOf(url, "dataset");
    return { label: url, ...keyOf(source.repository), files_url: url, source };
  }
  if (!name) throw badField("dataset", "name a data set: namespace/name, or {name, namespace}");
  const key =
    typeof given === "object" && !name.includes("/") ? { namespace: given.namespace ?? "default", name } : keyOf(name);
  const entity = datasets.get(key);
  if (entity === undefined) throw notFound(`Dataset ${fullName(key)}`);
  const { files_url } = entity;
  return { label: fullName(key), ...key, files_url, source: sourceOf(files_url, "dataset") };
}

/** The repository of `hf://datasets/ns/name[@revision][/folder]`. Errors: 422. */
function sourceOf(files_url: string, field: string): DatasetSource {
  const found = /^hf:\/\/(?:datasets\/)?([^/@]+\/[^/@]+)(?:@([^/]+))?(?:\/(.*?))?\/?$/.exec(files_url);
  const [, repository, revision = "main", folder = ""] = found ?? [];
  if (repository !== undefined) return { repository, revision, folder };
  throw badField(field, "its files_url must be hf://datasets/namespace/name: only this platform's Datastore is read");
}
