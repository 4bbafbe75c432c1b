import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { usageError } from "../../lib/errors.ts";
import { isFile } from "../../lib/files.ts";
import { isObject } from "../model/config-fields.ts";
import type { FileWatch } from "./file-watch.ts";
import type { TensorEntry } from "./safetensors-header.ts";
import { openTensorFile, type TensorFile } from "./tensor-file.ts";
import { badWeights, readError } from "./weights-error.ts";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** A tensor and the file that it lies in. */
export interface PlacedTensor {
  entry: TensorEntry;
  file: TensorFile;
}

/** All tensors of a model folder, in one file or in shards. */
export interface OpenTensors extends AsyncDisposable {
  readonly tensors: ReadonlyMap<string, PlacedTensor>;
}

/**
 * Opens `model.safetensors`, or else the shards that `model.safetensors.index.json` names. Index and shards must agree:
 * every tensor where the index puts it, and none besides.
 */
export async function openTensors(dir: string, watch: FileWatch): Promise<OpenTensors> {
  if (await isFile(join(dir, SINGLE))) return together([await openTensorFile(join(dir, SINGLE), watch)]);
  if (!(await isFile(join(dir, INDEX)))) throw await noWeights(dir);

  const weight_map = await readIndex(join(dir, INDEX), watch);
  const files: TensorFile[] = [];
  try {
    for (const name of [...new Set(weight_map.values())].sort()) {
      files.push(await openTensorFile(join(dir, name), watch));
    }
    checkIndex(join(dir, INDEX), weight_map, files);
  } catch (error) {
    await closeAll(files);
    throw error;
  }
  return together(files);
}

function together(files: readonly TensorFile[]): OpenTensors {
  const tensors = new Map<string, PlacedTensor>();
  for (const file of files) {
    for (const [name, entry] of file.header.tensors) tensors.set(name, { entry, file });
  }
  return { tensors, [Symbol.asyncDispose]: () => closeAll(files) };
}

async function closeAll(files: readonly TensorFile[]): Promise<void> {
  for (const file of files) await file[Symbol.asyncDispose]();
}

async function readIndex(path: string, watch: FileWatch): Promise<Map<string, string>> {
  const index = parseIndex(await watch.text(path), path);
  const weight_map = isObject(index) ? index.weight_map : undefined;
  if (!isObject(weight_map)) throw badWeights(path, "weight_map is missing");
  const placed = new Map<string, string>();
  for (const [name, file] of Object.entries(weight_map)) {
    // A name such as ../other/model.safetensors would read what is none of this model's.
    if (typeof file !== "string" || basename(file) !== file || !file.endsWith(".safetensors")) {
      throw badWeights(
        path,
        `weight_map puts tensor ${name} into ${JSON.stringify(file)}, no .safetensors file of this folder`,
      );
    }
    placed.set(name, file);
  }
  if (placed.size === 0) throw badWeights(path, "weight_map is empty");
  return placed;
}

function parseIndex(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badWeights(path, "the file is not JSON", error);
  }
}

function checkIndex(path: string, weight_map: ReadonlyMap<string, string>, files: readonly TensorFile[]): void {
  const held = new Map(files.map((file) => [basename(file.path), file.header.tensors] as const));
  for (const [name, file] of weight_map) {
    if (held.get(file)?.has(name) !== true)
      throw badWeights(path, `tensor ${name} is not in ${file}, where weight_map puts it`);
  }
  for (const [file, tensors] of held) {
    const stray = [...tensors.keys()].find((name) => weight_map.get(name) !== file);
    if (stray !== undefined)
      throw badWeights(path, `${file} holds tensor ${stray}, which weight_map does not put there`);
  }
}

async function noWeights(dir: string) {
  const names = await readdir(dir).catch((error: unknown) => {
    throw readError(dir, "there is no such model folder", error);
  });
  const pickled = names.find((name) => /\.(bin|pt|pth|ckpt)$/.test(name));
  return usageError({
    code: "model_not_found",
    where: dir,
    what:
      pickled === undefined
        ? `the folder holds neither ${SINGLE} nor ${INDEX}`
        : `the weights are a pickle (${pickled}), which can run code when it is opened; only safetensors are read`,
    fix: pickled === undefined ? "name a model's folder" : "save the model with safe_serialization=True",
  });
}
