import type { RepoType } from "../../training/wire/hub.ts";
import type { Datastore, RepoFile } from "../datastore/datastore.ts";
import { HttpFault } from "../http/http-fault.ts";

/** The files of a revision; null where there is no such repository or revision. */
export function revisionFiles(datastore: Datastore, type: RepoType, id: string, revision: string): RepoFile[] | null {
  try {
    return datastore.files(type, id, revision);
  } catch (error) {
    if (error instanceof HttpFault && error.status === 404) return null;
    throw error;
  }
}
