import { join } from "node:path";
import { usageError } from "../../lib/errors.ts";
import { isFile } from "../../lib/files.ts";
import { badConfig, isObject } from "../model/config-fields.ts";
import type { ModelConfig } from "../model/model-config.ts";
import type { Parameters, Tensor } from "../model/parameters.ts";
import { parameterShapes } from "../model/parameters.ts";
import { readConfig } from "../model/read-config.ts";
import { checkTensors } from "./check-tensors.ts";
import { DTYPES, type Dtype } from "./dtype.ts";
import { type FileWatch, fileWatch } from "./file-watch.ts";
import { openTensors, type PlacedTensor } from "./open-tensors.ts";
import type { TensorSource } from "./tensor-source.ts";
import { readError } from "./weights-error.ts";

/** What a model folder says of its model, beside the weights. */
export interface ModelFacts {
  config: ModelConfig;
  /** How most of the weights are stored. */
  dtype: Dtype;
  /** config.json as it stands. */
  raw_config: Record<string, unknown>;
  /** generation_config.json as it stands; null where there is none. */
  generation_config: Record<string, unknown> | null;
}

/** A whole model in memory, its weights as float32. */
export interface Model extends ModelFacts {
  parameters: Parameters;
}

/** A model folder whose tensors are read one by one. */
export interface OpenModel extends ModelFacts, AsyncDisposable {
  readonly source: TensorSource;
  /** To be called when all is read: fails with `model_changed` if a file was written meanwhile. */
  check(): Promise<void>;
}

/**
 * Reads a Hugging Face folder: config.json and F32, F16 or BF16 safetensors, in one file or shards. A model that the
 * engine does not do, a missing or surplus tensor, a wrong shape, a damaged file and a folder that is written meanwhile
 * are one error each that names file and tensor.
 */
export async function readModelFolder(dir: string): Promise<Model> {
  await using model = await openModelFolder(dir);
  const parameters = new Map<string, Tensor>();
  for (const [name, shape] of model.source.shapes) {
    parameters.set(name, { shape, data: await model.source.read(name) });
  }
  await model.check();
  const { config, dtype, raw_config, generation_config } = model;
  return { config, dtype, raw_config, generation_config, parameters };
}

/** Opens a model folder and checks names, shapes and files, without reading the weights. */
export async function openModelFolder(dir: string): Promise<OpenModel> {
  const watch = fileWatch();
  const raw_config = await readJson(join(dir, "config.json"), watch);
  const config = readConfig(raw_config, join(dir, "config.json"));
  const generation_config = (await isFile(join(dir, "generation_config.json")))
    ? await readJson(join(dir, "generation_config.json"), watch)
    : null;

  const opened = await openTensors(dir, watch);
  try {
    const shapes = parameterShapes(config);
    const tensors = await checkTensors(dir, shapes, opened.tensors);
    return {
      config,
      raw_config,
      generation_config,
      dtype: mostUsed(tensors),
      source: { shapes, read: (name) => readPlaced(tensors, name) },
      check: () => watch.check(),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

function readPlaced(tensors: ReadonlyMap<string, PlacedTensor>, name: string): Promise<Float32Array> {
  const placed = tensors.get(name);
  if (placed === undefined) throw new RangeError(`no tensor ${name}`);
  return placed.file.read(placed.entry.name);
}

/** The dtype that holds most of the numbers: norms are often kept wider than the rest. */
function mostUsed(tensors: ReadonlyMap<string, PlacedTensor>): Dtype {
  const bytes = new Map<string, number>();
  for (const { entry } of tensors.values()) bytes.set(entry.dtype, (bytes.get(entry.dtype) ?? 0) + entry.bytes);
  const numbers = (dtype: Dtype) => (bytes.get(dtype) ?? 0) / (dtype === "F32" ? 2 : 1);
  return [...DTYPES].sort((one, other) => numbers(other) - numbers(one))[0] ?? "F32";
}

async function readJson(path: string, watch: FileWatch): Promise<Record<string, unknown>> {
  const text = await watch.text(path).catch((error: unknown) => {
    throw readError(path, "the model's configuration cannot be read", error);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usageError({
      code: "bad_model_config",
      where: path,
      what: "the file is not JSON",
      fix: "mend the file, or copy it from the model's source",
      cause: error,
    });
  }
  if (!isObject(value)) throw badConfig(path, "the file holds no JSON object");
  return value;
}
