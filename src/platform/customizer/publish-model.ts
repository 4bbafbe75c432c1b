import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TrainingResult } from "../../engine/train/training-job.ts";
import { FACTS_FILE, METRICS_FILE } from "../../engine/train/write-trained.ts";
import { usageError } from "../../lib/errors.ts";
import { linkOrCopy } from "../../lib/link-or-copy.ts";
import { writeFolderWhole } from "../../lib/whole-folder.ts";
import type { Datastore, RepoFile } from "../datastore/datastore.ts";
import { outputName } from "./output-model.ts";
import { revisionFiles } from "./revision-files.ts";
import type { StoredJob } from "./stored.ts";

export interface PublishOptions {
  /** What the engine wrote. */
  output: string;
  work_dir: string;
  result: TrainingResult;
  datastore: Datastore;
}

/** The engine's marks; what a client gets says the same without this machine's paths. */
const ADAPTER = "adapter";
const ADAPTER_CONFIG = "adapter_config.json";

/**
 * Puts a trained model into the Datastore: a LoRA adapter in PEFT's layout, anything else as a Hugging Face folder, with
 * the curves and what it was trained with. Nothing happens where a platform that was killed had done it already.
 */
export async function publishModel(
  job: StoredJob,
  { output, work_dir, result, datastore }: PublishOptions,
): Promise<void> {
  const { output: place } = job._plan;
  const repository = `${place.namespace}/${place.name}`;
  const there = revisionFiles(datastore, "model", repository, place.revision);
  if (there !== null) return await refuseForeign(there, job, datastore);
  const dir = join(work_dir, "publish");
  await writeFolderWhole(dir, (partial) => fill(partial, job, { output, result }), { overwrite: true });
  const summary = `${job.config_snapshot.base_model} trained by ${job.id}`;
  datastore.createRepo("model", repository);
  await datastore.commitFolder("model", repository, { tag: place.revision, summary, dir });
}

/** A client may have used the name meanwhile. */
async function refuseForeign(
  files: readonly RepoFile[],
  { id, _plan }: StoredJob,
  datastore: Datastore,
): Promise<void> {
  const file = files.find(({ path }) => path === FACTS_FILE);
  const facts = file && (JSON.parse(await readFile(datastore.blobPath(file.sha256), "utf8")) as { job?: unknown });
  if (facts?.job === id) return;
  throw usageError({
    code: "output_taken",
    where: outputName(_plan.output),
    what: "somebody put other files under this name while the job ran",
    fix: "make the job again with another output_model",
  });
}

async function fill(
  dir: string,
  job: StoredJob,
  { output, result }: Pick<PublishOptions, "output" | "result">,
): Promise<void> {
  const is_adapter = job.hyperparameters.finetuning_type === "lora";
  const names = is_adapter
    ? (await readdir(join(output, ADAPTER)))
        .filter((name) => name !== ADAPTER_CONFIG)
        .map((name) => join(ADAPTER, name))
    : (await readdir(output)).filter((name) => ![ADAPTER, FACTS_FILE].includes(name));
  for (const name of is_adapter ? [...names, METRICS_FILE] : names) {
    // The folder is read and then removed: a second name is as good as a second copy.
    const target = join(dir, name.replace(/^adapter[/\\]/, ""));
    await mkdir(dirname(target), { recursive: true });
    await linkOrCopy(join(output, name), target);
  }
  if (is_adapter) {
    const config = JSON.parse(await readFile(join(output, ADAPTER, ADAPTER_CONFIG), "utf8")) as object;
    const named = { ...config, base_model_name_or_path: job.config_snapshot.base_model };
    await writeFile(join(dir, ADAPTER_CONFIG), `${JSON.stringify(named, null, 2)}\n`);
  }
  await writeFile(join(dir, FACTS_FILE), `${JSON.stringify(facts(job, result), null, 2)}\n`);
}

function facts(
  { id, config, config_snapshot, dataset, hyperparameters, _plan, ...job }: StoredJob,
  result: TrainingResult,
) {
  const { model: _path, ...came_out } = result;
  return {
    job: id,
    output_model: outputName(_plan.output),
    base_model: config_snapshot.base_model,
    dataset,
    hyperparameters,
    options: _plan.options,
    created_at: job.created_at,
    result: came_out,
  };
}
