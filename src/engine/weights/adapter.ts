import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PairwrightError } from "../../lib/errors.ts";
import { writeFolderWhole } from "../../lib/whole-folder.ts";
import { badAdapter, type LoraAdapter, loraNames, mergeWeight } from "../model/lora.ts";
import type { Tensor } from "../model/parameters.ts";
import { adapterConfigJson, readAdapterConfig } from "./adapter-config.ts";
import type { Dtype } from "./dtype.ts";
import { type FileWatch, fileWatch } from "./file-watch.ts";
import { openTensorFile, type TensorFile } from "./tensor-file.ts";
import { type TensorSource, tensorSource } from "./tensor-source.ts";
import { readError, writeError } from "./weights-error.ts";
import { writeTensorFile } from "./write-tensor-file.ts";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
/** PEFT wraps the model twice: its own, and the one that holds the adapters. */
const PREFIX = "base_model.model.";

/** An adapter with the model that it was trained on, as far as that is said. */
export interface StoredAdapter extends LoraAdapter {
  base_model_name_or_path: string | null;
}

/** Writes an adapter in PEFT's layout; the folder appears whole or not at all. */
export async function writeAdapter(
  dir: string,
  adapter: StoredAdapter,
  { dtype = "F32", overwrite }: { dtype?: Dtype; overwrite?: boolean } = {},
): Promise<void> {
  const tensors = new Map([...adapter.tensors].map(([name, tensor]) => [`${PREFIX}${name}`, tensor]));
  try {
    await writeFolderWhole(
      dir,
      async (partial) => {
        await writeTensorFile(join(partial, WEIGHTS), tensorSource(tensors), { dtype });
        await writeFile(join(partial, CONFIG), `${JSON.stringify(adapterConfigJson(adapter), null, 2)}\n`);
      },
      { overwrite },
    );
  } catch (error) {
    throw PairwrightError.is(error) ? error : writeError(dir, error);
  }
}

/**
 * Reads an adapter in PEFT's layout. Other kinds than plain LoRA (rsLoRA, DoRA, saved modules, ranks by layer …) are
 * refused by name, and so is a tensor without its partner, of another rank, or on a layer that target_modules does not
 * name.
 */
export async function readAdapter(dir: string): Promise<StoredAdapter> {
  const watch = fileWatch();
  const config = readAdapterConfig(await readJson(join(dir, CONFIG), watch), join(dir, CONFIG));
  await using file = await openTensorFile(join(dir, WEIGHTS), watch);
  const tensors = new Map<string, Tensor>();
  for (const [stored, { shape }] of file.header.tensors) {
    tensors.set(plainName(stored, config.target_modules, file.path), { shape, data: await file.read(stored) });
  }
  checkPairs(tensors, config.rank, file);
  await watch.check();
  return { ...config, tensors };
}

/** A model's tensors with an adapter added to each as it is read: no second copy of the weights is held. */
export function mergedSource(source: TensorSource, adapter: LoraAdapter): TensorSource {
  return {
    shapes: source.shapes,
    async read(name) {
      return mergeWeight(name, { shape: source.shapes.get(name) ?? [], data: await source.read(name) }, adapter);
    },
  };
}

async function readJson(path: string, watch: FileWatch): Promise<unknown> {
  const text = await watch.text(path).catch((error: unknown) => {
    throw readError(path, "the adapter's configuration cannot be read", error);
  });
  try {
    return JSON.parse(text);
  } catch {
    throw badAdapter(path, "the file is not JSON");
  }
}

function plainName(stored: string, target_modules: readonly string[], path: string): string {
  const name = stored.startsWith(PREFIX) ? stored.slice(PREFIX.length) : "";
  const module = /^model\.layers\.\d+\.(?:self_attn|mlp)\.(\w+)\.lora_[AB]\.weight$/.exec(name)?.[1];
  if (module === undefined || !target_modules.includes(module)) {
    throw badAdapter(path, `tensor ${stored} is none of an adapter on ${target_modules.join(", ")}`);
  }
  return name;
}

function checkPairs(tensors: ReadonlyMap<string, Tensor>, rank: number, { path }: TensorFile): void {
  if (tensors.size === 0) throw badAdapter(path, "the file holds no tensor");
  for (const [name, { shape }] of tensors) {
    const linear = name.replace(/\.lora_[AB]\.weight$/, "");
    const { a, b } = loraNames(linear);
    for (const needed of [a, b]) {
      if (!tensors.has(needed)) throw badAdapter(path, `tensor ${PREFIX}${needed} is missing`);
    }
    if (shape.length !== 2 || shape[name === a ? 0 : 1] !== rank) {
      throw badAdapter(path, `tensor ${PREFIX}${name} has shape [${shape.join(", ")}]; ${CONFIG} says rank ${rank}`);
    }
  }
}
