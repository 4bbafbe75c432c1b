import { type Collection, collection } from "../store/collection.ts";
import type { Database } from "../store/database.ts";
import type { Timestamps } from "../store/timestamps.ts";

/** A namespace of the Datastore, which is none of the Entity Store. */
export interface DatastoreNamespace {
  namespace: string;
  created_at: string;
  updated_at: string;
}

export interface DatastoreNamespaces {
  all: Collection<DatastoreNamespace>["all"];
  get(name: string): DatastoreNamespace | undefined;
  /** Undefined where it is there. */
  create(name: string): DatastoreNamespace | undefined;
  /** Makes it where it is missing. */
  ensure(name: string): void;
  remove(name: string): boolean;
}

export function datastoreNamespaces(database: Database, times: Timestamps): DatastoreNamespaces {
  const kept = collection<DatastoreNamespace>(database, "datastore_namespace");
  const keyOf = (name: string) => ({ namespace: "", name });
  function create(name: string): DatastoreNamespace | undefined {
    const at = times.seconds();
    const made = { namespace: name, created_at: at, updated_at: at };
    return kept.insert(keyOf(name), made) ? made : undefined;
  }
  return {
    all: kept.all,
    get: (name) => kept.get(keyOf(name)),
    create,
    ensure: (name) => void create(name),
    remove: (name) => kept.remove(keyOf(name)),
  };
}
