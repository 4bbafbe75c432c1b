import { readdir, stat } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { usageError } from "../../lib/errors.ts";
import { openTokenizer } from "../../tokens/open-tokenizer.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { parameterShapes, sizeOf } from "../model/parameters.ts";
import { DTYPES, type Dtype } from "./dtype.ts";
import { readGgufConfig } from "./gguf/gguf-config.ts";
import { ggufSource } from "./gguf/gguf-source.ts";
import { readGgufTokenizer } from "./gguf/gguf-tokenizer.ts";
import { type GgufFile, openGguf } from "./gguf/open-gguf.ts";
import { openModelFolder } from "./model-folder.ts";
import type { TensorSource } from "./tensor-source.ts";
import { badWeights, readError } from "./weights-error.ts";
import { writeModelFolder } from "./write-model-folder.ts";

export interface ImportOptions {
  /** How the weights are written. Default: as they were stored, quantised ones as float32. */
  dtype?: Dtype | undefined;
  overwrite?: boolean | undefined;
  /** Looked at between tensors. */
  signal?: AbortSignal | undefined;
  /** Told after each tensor how many are done. */
  onTensor?: ((done: number, all: number) => void) | undefined;
}

/** What was imported. */
export interface ImportedModel {
  format: "safetensors" | "gguf";
  config: ModelConfig;
  dtype: Dtype;
  tensors: number;
  parameters: number;
  /** The tokenizer's ids are below this; the model may have rows for more. */
  vocab: number;
  /** ggml's types with the number of tensors of each; null for a Hugging Face folder. */
  types: Record<string, number> | null;
}

/**
 * Makes a model folder of a Hugging Face folder or a GGUF file. Every tensor is read and must be finite, the tokenizer
 * must open and fit the model; the folder appears whole or not at all.
 */
export async function importModel(source: string, dir: string, options: ImportOptions = {}): Promise<ImportedModel> {
  const found = await stat(source).catch((error: unknown) => {
    throw readError(source, "there is no such model", error);
  });
  if (options.overwrite) await refuseForeign(source, dir);
  return found.isDirectory() ? importFolder(source, dir, options) : importGguf(source, dir, options);
}

/** Only a model's folder is replaced, and none that is or holds what is read or worked in. */
async function refuseForeign(source: string, dir: string): Promise<void> {
  const names = await readdir(dir).catch(() => [] as string[]);
  const whole = `${resolve(dir)}${sep}`;
  const needed = [source, "."].some((path) => `${resolve(path)}${sep}`.startsWith(whole));
  if (names.length === 0 || (names.includes("config.json") && !needed)) return;
  throw usageError({
    code: "output_not_empty",
    where: dir,
    what: needed
      ? "this folder is or holds the model that is read, or the folder you work in"
      : "there is something here already that is no model (it has no config.json)",
    fix: "name a new folder",
  });
}

async function importFolder(source: string, dir: string, options: ImportOptions): Promise<ImportedModel> {
  await using model = await openModelFolder(source);
  const { config, raw_config } = model;
  const dtype = options.dtype ?? model.dtype;
  const vocab = await checkTokenizer(source, config);
  await writeModelFolder(dir, {
    config,
    raw_config,
    parameters: checked(model.source, source, options),
    dtype,
    source_dir: source,
    overwrite: options.overwrite,
    verify: () => model.check(),
  });
  return { format: "safetensors", config, dtype, vocab, types: null, ...sizes(config) };
}

async function importGguf(source: string, dir: string, options: ImportOptions): Promise<ImportedModel> {
  await using file = await openGguf(source);
  const config = await readGgufConfig(file);
  const parameters = checked(ggufSource(file, config), source, options);
  const types = countTypes(file);
  const dtype = options.dtype ?? storedDtype(types);
  const { files, token_ids } = readGgufTokenizer(file, config);
  let vocab = 0;
  await writeModelFolder(dir, {
    config,
    raw_config: token_ids,
    parameters,
    dtype,
    files,
    overwrite: options.overwrite,
    async verify(partial) {
      vocab = await checkTokenizer(partial, config);
      await file.check();
    },
  });
  return { format: "gguf", config, dtype, vocab, types, ...sizes(config) };
}

async function checkTokenizer(dir: string, config: ModelConfig): Promise<number> {
  const { vocab_size } = await openTokenizer(dir);
  if (vocab_size <= config.vocab_size) return vocab_size;
  throw usageError({
    code: "vocabulary_mismatch",
    where: dir,
    what: `the tokenizer has ids up to ${vocab_size - 1}, but the model has rows for ${config.vocab_size} tokens`,
    fix: "put the model's own tokenizer beside it",
  });
}

/** The source, with every number looked at: one that is not finite would make everything after it so. */
function checked(source: TensorSource, where: string, { signal, onTensor }: ImportOptions): TensorSource {
  let done = 0;
  return {
    shapes: source.shapes,
    async read(name) {
      signal?.throwIfAborted();
      const numbers = await source.read(name);
      refuseNonFinite(numbers, name, where);
      done += 1;
      onTensor?.(done, source.shapes.size);
      return numbers;
    },
  };
}

function refuseNonFinite(numbers: Float32Array, name: string, where: string): void {
  const length = numbers.length;
  for (let i = 0; i < length; i += 1) {
    const number = numbers[i] as number;
    // Only infinities and NaN give no zero here, and it is faster than Number.isFinite.
    if (number - number !== 0) throw badWeights(where, `tensor ${name} holds ${number} at place ${i}`);
  }
}

function sizes(config: ModelConfig): { tensors: number; parameters: number } {
  const shapes = [...parameterShapes(config).values()];
  return { tensors: shapes.length, parameters: shapes.reduce((sum, shape) => sum + sizeOf(shape), 0) };
}

function countTypes(file: GgufFile): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of file.tensors.keys()) counts[file.typeOf(name)] = (counts[file.typeOf(name)] ?? 0) + 1;
  return counts;
}

/** A file of one 16-bit type, beside norms in float32, stays so; quantised numbers need float32 to be exact. */
function storedDtype(types: Record<string, number>): Dtype {
  const others = Object.keys(types).filter((type) => type !== "F32");
  const only = others.length === 1 ? DTYPES.find((dtype) => dtype === others[0]) : undefined;
  return only ?? "F32";
}
