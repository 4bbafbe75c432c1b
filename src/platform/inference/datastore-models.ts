import type { DatastoreParts } from "../datastore/datastore.ts";
import type { ModelRepositories } from "./model-files.ts";

/** The model repositories of a Datastore. */
export function modelRepositories({ repos, checkout }: DatastoreParts): ModelRepositories {
  return {
    commitOf(id, revision) {
      const repo = repos.find({ type: "model", id });
      return repo && repos.resolve(repo, revision)?.oid;
    },
    checkout: (id, commit, dir) => checkout("model", id, commit, dir),
  };
}
