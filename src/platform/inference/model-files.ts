import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ModelSource } from "./model-names.ts";

/** The Datastore's model repositories, as far as serving needs them. */
export interface ModelRepositories {
  /** The commit that a branch or tag stands for now; undefined where there is no such repository or revision. */
  commitOf(repo: string, revision: string): string | undefined;
  /** Lays a commit out as a folder that is not there yet. */
  checkout(repo: string, commit: string, dir: string): Promise<void>;
}

/** A model's files while it is read: what was laid out for that is gone when this is disposed of. */
export interface OpenFiles extends AsyncDisposable {
  readonly dir: string;
}

/** Opens a model's files. What comes from the Datastore is laid out below `scratch`, which nothing else uses. */
export async function openModelFiles(
  source: ModelSource,
  repositories: ModelRepositories,
  scratch: string,
): Promise<OpenFiles> {
  if ("dir" in source) return { dir: source.dir, [Symbol.asyncDispose]: async () => undefined };
  await mkdir(scratch, { recursive: true });
  const own = await mkdtemp(join(scratch, "model-"));
  const dir = join(own, "files");
  const remove = () => rm(own, { recursive: true, force: true });
  try {
    await repositories.checkout(source.repo, source.commit, dir);
    return { dir, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
