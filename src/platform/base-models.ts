import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { sizeOf } from "../engine/model/parameters.ts";
import { openModelFolder } from "../engine/weights/model-folder.ts";
import { codeOf, type PairwrightError, usageError } from "../lib/errors.ts";
import { openChatTemplate } from "../tokens/open-chat-template.ts";

/** A model folder of this machine that the platform trains from and serves, under the names of its target and config. */
export interface BaseModel {
  /** `meta/llama-3.1-8b-instruct@v1.0.0+A100` has the namespace `meta` … */
  namespace: string;
  /** … the base `llama-3.1-8b-instruct` … */
  base: string;
  /** … the version `v1.0.0` … */
  version: string;
  /** … and is for the machine `A100`. */
  machine: string;
  /** Absolute. */
  dir: string;
  num_parameters: number;
  /** Tokens of a prompt with its reply. */
  context_size: number;
  /** Whether it has a chat template of its own. */
  is_chat: boolean;
}

const NAME =
  /^(?:(?<namespace>[A-Za-z0-9][\w.-]*)\/)?(?<base>[A-Za-z0-9][\w.-]*)(?:@(?<version>[\w.-]+))?(?:\+(?<machine>[\w.-]+))?$/;

/**
 * Looks at the folders that `--models` names, each `DIR` or `NAME=DIR`; without any, at the `base-model` folder of each
 * example of the package. Errors: `model_name`, `model_name_taken`, and whatever makes a folder no model.
 */
export async function readBaseModels(given: readonly string[] | undefined): Promise<BaseModel[]> {
  const entries = given?.length ? given : await modelsOfExamples();
  const models: BaseModel[] = [];
  for (const entry of entries) {
    const model = await readEntry(entry);
    const same = models.find(({ namespace, base }) => namespace === model.namespace && base === model.base);
    if (same !== undefined && same.dir !== model.dir) throw nameTaken(entry, model, same);
    models.push(model);
  }
  return models;
}

async function readEntry(entry: string): Promise<BaseModel> {
  const at = entry.indexOf("=");
  // A folder may have an equals sign in its name.
  const named = at > 0 && !(await isFolder(entry));
  const dir = resolve(named ? entry.slice(at + 1) : entry);
  const name = named ? entry.slice(0, at) : nameOfFolder(dir);
  const parts = NAME.exec(name)?.groups;
  if (parts?.base === undefined || name.includes("..")) throw badName(entry, name);
  await using model = await openModelFolder(dir);
  const shapes = [...model.source.shapes.values()];
  return {
    namespace: parts.namespace ?? "local",
    base: parts.base,
    version: parts.version ?? "v1.0.0",
    machine: parts.machine ?? "CPU",
    dir,
    num_parameters: shapes.reduce((sum, shape) => sum + sizeOf(shape), 0),
    context_size: model.config.max_position_embeddings,
    is_chat: (await openChatTemplate(dir)).kind === "jinja",
  };
}

/** `base-model` says nothing: such a folder is called as the one that it lies in. */
function nameOfFolder(dir: string): string {
  const name = basename(dir);
  return name === "base-model" ? basename(dirname(dir)) : name;
}

async function modelsOfExamples(): Promise<string[]> {
  const examples = fileURLToPath(new URL("../../examples", import.meta.url));
  const names = await readdir(examples).catch((error: unknown): string[] => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  const dirs = names.sort().map((name) => join(examples, name, "base-model"));
  const there = await Promise.all(dirs.map(isFolder));
  return dirs.filter((_, index) => there[index]);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "")) return false;
    throw error;
  }
}

function badName(entry: string, name: string): PairwrightError {
  return usageError({
    code: "model_name",
    where: `--models ${entry}`,
    what: `${JSON.stringify(name)} cannot be the name of a model`,
    fix: "give NAME=DIR with a name such as my-model or meta/llama-3.1-8b-instruct@v1.0.0+A100",
  });
}

function nameTaken(entry: string, { namespace, base }: BaseModel, other: BaseModel): PairwrightError {
  return usageError({
    code: "model_name_taken",
    where: `--models ${entry}`,
    what: `${other.dir} is called ${namespace}/${base} already`,
    fix: "give one of them another name: NAME=DIR",
  });
}
