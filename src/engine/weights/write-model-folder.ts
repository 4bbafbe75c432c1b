import { constants, copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PairwrightError, usageError } from "../../lib/errors.ts";
import { isFile } from "../../lib/files.ts";
import { writeFolderWhole } from "../../lib/whole-folder.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { type Parameters, parameterShapes } from "../model/parameters.ts";
import { configJson, configText } from "./config-json.ts";
import type { Dtype } from "./dtype.ts";
import { type TensorSource, tensorSource } from "./tensor-source.ts";
import { writeError } from "./weights-error.ts";
import { writeTensorFile } from "./write-tensor-file.ts";

/** What a model folder holds beside configuration and weights: tokenizer, chat template, how to sample. */
export const COMPANION_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "tokenizer.model",
  "chat_template.jinja",
  "chat_template.json",
  "generation_config.json",
] as const;

export interface WriteModel {
  config: ModelConfig;
  /** All tensors of `parameterShapes(config)` and no others, in memory or one by one. */
  parameters: Parameters | TensorSource;
  dtype: Dtype;
  /** The companion files are copied from here, as far as they are there. */
  source_dir?: string | undefined;
  /** The config.json whose other keys (token ids above all) are kept. */
  raw_config?: Record<string, unknown> | undefined;
  /** Further files by name, written last: in place of those of `source_dir`. */
  files?: Record<string, string> | undefined;
  /** A last look at the folder, complete but under another name: when it throws, the folder does not appear. */
  verify?: ((dir: string) => Promise<void>) | undefined;
  /** Whether a non-empty folder is replaced; otherwise it is refused. */
  overwrite?: boolean | undefined;
}

/**
 * Writes a Hugging Face folder that transformers loads: config.json, model.safetensors and the companion files. It
 * appears whole or not at all. Without `raw_config` or a config.json in `source_dir`, the token ids stay unsaid, and
 * transformers takes its own defaults.
 */
export async function writeModelFolder(dir: string, model: WriteModel): Promise<void> {
  const source = "read" in model.parameters ? model.parameters : tensorSource(model.parameters);
  const ordered = inOrder(source, model.config);
  const raw_config = model.raw_config ?? (await rawConfigOf(model.source_dir));
  const config = configJson(model.config, { dtype: model.dtype, raw_config });
  try {
    await writeFolderWhole(
      dir,
      async (partial) => {
        await writeTensorFile(join(partial, "model.safetensors"), ordered, { dtype: model.dtype });
        await writeFile(join(partial, "config.json"), configText(config));
        if (model.source_dir !== undefined) await copyCompanions(model.source_dir, partial);
        for (const [name, text] of Object.entries(model.files ?? {})) await writeFile(join(partial, name), text);
        await model.verify?.(partial);
      },
      { overwrite: model.overwrite },
    );
  } catch (error) {
    throw PairwrightError.is(error) ? error : writeError(dir, error);
  }
}

/** The source with its shapes checked, in the model's own order. */
function inOrder(source: TensorSource, config: ModelConfig): TensorSource {
  const shapes = parameterShapes(config);
  for (const [name, shape] of shapes) {
    const given = source.shapes.get(name);
    if (given === undefined) throw wrongParameters(`tensor ${name} is missing`);
    if (given.join() !== shape.join()) {
      throw wrongParameters(`tensor ${name} has shape [${given.join(", ")}], not [${shape.join(", ")}]`);
    }
  }
  const surplus = [...source.shapes.keys()].find((name) => !shapes.has(name));
  if (surplus !== undefined) throw wrongParameters(`tensor ${surplus} is surplus`);
  return { shapes, read: (name) => source.read(name) };
}

function wrongParameters(what: string): PairwrightError {
  return usageError({
    code: "bad_weights",
    where: "parameters",
    what: `${what}: these are not the weights of a model of this configuration`,
    fix: "give configuration and weights of one model",
  });
}

async function rawConfigOf(source_dir: string | undefined): Promise<Record<string, unknown>> {
  if (source_dir === undefined || !(await isFile(join(source_dir, "config.json")))) return {};
  return JSON.parse(await readFile(join(source_dir, "config.json"), "utf8")) as Record<string, unknown>;
}

async function copyCompanions(from: string, into: string): Promise<void> {
  for (const name of COMPANION_FILES) {
    if (await isFile(join(from, name))) await copyFile(join(from, name), join(into, name), constants.COPYFILE_EXCL);
  }
}
