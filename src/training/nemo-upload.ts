import { usageError } from "../lib/errors.ts";
import type { JobSteps, TrainingFiles } from "../registry/training-backend.ts";
import { putDataset } from "./clients/datasets.ts";
import { hubClient, type RepositoryFile } from "./clients/hub.ts";
import { datastoreNamespaces, entityNamespaces } from "./clients/namespaces.ts";
import type { Service } from "./clients/service.ts";
import type { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";
import { namespaceNotFound } from "./nemo-faults.ts";
import { hubUrl } from "./wire/hub.ts";

/** Where the Customizer looks for rows in a repository, and under which name ours lie there. */
const PLACES = {
  training: "training/training_file.jsonl",
  validation: "validation/validation_file.jsonl",
} as const;

export interface UploadParts {
  options: NemoCustomizerTrainerAdapterOptions;
  /** Of `entity_host`. */
  platform: Service;
  datastore: Service;
  steps: JobSteps;
}

/**
 * Namespaces, repository, files, data-set entity. Each is looked for first, by name or by content, and made once. What
 * comes back sees to it that the repository still holds these files, whoever wrote to it since.
 */
export async function uploadDataset(files: TrainingFiles, parts: UploadParts): Promise<{ keep(): Promise<void> }> {
  const { options, platform, datastore, steps } = parts;
  const { namespace, dataset_name } = options;
  const { signal, tag } = steps;
  const repository = `${namespace}/${dataset_name}`;
  await steps.step("namespaces", { namespace }, async () => {
    await needNamespaces(parts);
    return null;
  });
  const hub = hubClient(datastore);
  await steps.step("repository", { repository }, async () => {
    await hub.createRepository(namespace, dataset_name, signal);
    return null;
  });
  const kinds = (["training", "validation"] as const).filter((kind) => files[kind].rows > 0);
  const wanted = kinds.map((kind) => ({ path: PLACES[kind], file: files[kind].path }));
  async function put() {
    refuseForeignRows(repository, await hub.files(repository, signal));
    const gone = kinds.includes("validation") ? [] : [PLACES.validation];
    const { commit, uploaded } = await hub.put(repository, wanted, gone, { summary: `pairwright ${tag}`, signal });
    steps.log.info(
      uploaded.length > 0 ? `uploaded to ${repository}: ${uploaded.join(", ")}` : `${repository} is up to date`,
    );
    return { commit, uploaded };
  }
  const { commit } = await steps.step("upload", { files: wanted.map(({ path }) => path) }, put);
  const files_url = hubUrl({ type: "dataset", id: repository });
  await steps.step("dataset", { name: repository, files_url }, async () => {
    const custom_fields = { pairwright: tag, ...(commit !== null && { commit }) };
    const description = "preference data collected by pairwright";
    await putDataset(platform, { namespace, name: dataset_name, files_url, description, custom_fields }, signal);
    return null;
  });
  return {
    async keep() {
      if (commit === null || (await hub.head(repository, signal)) !== commit) await put();
    },
  };
}

async function needNamespaces({ options, platform, datastore, steps }: UploadParts): Promise<void> {
  const { namespace, create_namespace_if_missing } = options;
  const stores = [
    { service: platform, name: "the Entity Store", namespaces: entityNamespaces(platform) },
    { service: datastore, name: "the Datastore", namespaces: datastoreNamespaces(datastore) },
  ];
  for (const { service, name, namespaces } of stores) {
    if (await namespaces.has(namespace, steps.signal)) continue;
    if (!create_namespace_if_missing) throw namespaceNotFound(name, service.endpoint, namespace);
    await namespaces.create(namespace, steps.signal);
    steps.log.info(`${name} has the namespace ${namespace} now`);
  }
}

/** All files of `training/` and `validation/` are trained on, whoever put them there. */
function refuseForeignRows(repository: string, files: readonly RepositoryFile[]): void {
  const own: readonly string[] = Object.values(PLACES);
  const foreign = files.filter(({ path }) => /^(training|validation)\/.*\.jsonl?$/i.test(path) && !own.includes(path));
  if (foreign.length === 0) return;
  throw usageError({
    code: "foreign_training_files",
    where: `data set ${repository}`,
    what: `its repository holds other rows, which would be trained on too: ${foreign.map(({ path }) => path).join(", ")}`,
    fix: "set another dataset_name, or delete these files from the repository",
  });
}
