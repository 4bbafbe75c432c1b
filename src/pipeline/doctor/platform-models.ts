import { didYouMean } from "../../lib/suggest.ts";
import type { BackendCheck } from "../../registry/training-backend.ts";
import { isNamed } from "../config-names.ts";
import { failed, ok, skipped } from "./check.ts";
import { closedAt, roomIn } from "./machine.ts";

/** A model of this machine that the embedded platform trains from. */
export interface ModelFolder {
  /** `meta/llama-3.1-8b-instruct@v1.0.0+A100`: the customization config's. */
  name: string;
  dir: string;
  num_parameters: number;
  /** Tokens of a prompt with its reply. */
  context_size: number;
}

/** The embedded platform as a configuration asks for it. */
export interface EmbeddedPlatform {
  /** Where it runs; undefined while it does not. */
  origin: string | undefined;
  /** Its data folder. */
  dir: string;
  /** `platform.models`: name -> absolute folder. Empty: the base models of the examples. */
  models: Readonly<Record<string, string>>;
  /** Reads `NAME=DIR`, or with nothing the base models of the examples. Errors: whatever makes a folder no model. */
  readModels(entry?: string): Promise<ModelFolder[]>;
  /** Loads what computes. Error: `engine_missing`. */
  loadEngine(): Promise<unknown>;
}

/** Whether the embedded platform can do its work. It is not started for that. */
export function platformChecks(platform: EmbeddedPlatform, customization_config: string | undefined): BackendCheck[] {
  const { origin, dir, models, readModels, loadEngine } = platform;
  const checks: BackendCheck[] = [
    {
      name: "platform",
      async look() {
        if (origin !== undefined) return ok(`a platform runs on ${dir}, at ${origin}`);
        const closed = await closedAt(dir);
        if (closed === undefined) return skipped(`no platform runs on ${dir}; finetune starts one`);
        return failed(`${dir}: nothing can be written (${closed}); set XDG_DATA_HOME to another folder`);
      },
    },
    {
      name: "engine",
      async look() {
        await loadEngine();
        return ok("onnxruntime-node is there");
      },
    },
  ];
  for (const [name, folder] of Object.entries(models)) {
    checks.push({
      name: `platform.models.${name}`,
      async look() {
        const [model] = await readModels(`${name}=${folder}`);
        return ok(`${folder} is a model with ${model?.num_parameters.toLocaleString("en")} parameters`);
      },
    });
  }
  if (customization_config === undefined) return checks;
  return [
    ...checks,
    {
      name: "base_model",
      async look() {
        const all = await allModels(platform);
        const model = all.find(({ name }) => isNamed(name, customization_config));
        if (model === undefined) return failed(lacking(customization_config, all));
        return ok(`${customization_config} is trained from ${model.dir}`);
      },
    },
    {
      name: "platform_disk",
      async look() {
        const largest = Math.max(0, ...(await allModels(platform)).map((model) => model.num_parameters));
        // Weights, a checkpoint with the optimiser's two numbers each, and what is published: five times four bytes.
        return roomIn(dir, largest * 20, "a training");
      },
    },
  ];
}

/** The model that a customization config is trained from; undefined where none of this machine is called so. */
export async function baseModelOf(platform: EmbeddedPlatform, config: string): Promise<ModelFolder | undefined> {
  return (await allModels(platform)).find(({ name }) => isNamed(name, config));
}

/** Folders that are no models are told one by one, elsewhere. */
async function allModels({ models, readModels }: EmbeddedPlatform): Promise<ModelFolder[]> {
  const entries = Object.entries(models);
  if (entries.length === 0) return readModels();
  const read = entries.map(([name, dir]) => readModels(`${name}=${dir}`).catch((): ModelFolder[] => []));
  return (await Promise.all(read)).flat();
}

function lacking(config: string, all: readonly ModelFolder[]): string {
  const names = all.map(({ name }) => name);
  const there = names.length === 0 ? "" : `; or train one that is there: ${names.join(", ")}`;
  return `the embedded platform has no model for customization_config "${config}".${didYouMean(config, names)} Give it one: platform: {_type: embedded, models: {"${config}": ./model-folder}}${there}`;
}
