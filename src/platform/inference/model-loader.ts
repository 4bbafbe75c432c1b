import { type ModelThread, openModelThread } from "../../engine/generate/model-thread.ts";
import { openModelFolder } from "../../engine/weights/model-folder.ts";
import { type ModelRepositories, openModelFiles } from "./model-files.ts";
import type { ModelSource } from "./model-names.ts";
import { type ServingSettings, servingSettings } from "./serving-settings.ts";

/** How models are got at. */
export interface ModelLoader {
  /** Says what a model will take, then opens it when `makeRoom` has made room for that. */
  open(source: ModelSource, options: OpenOptions): Promise<{ thread: ModelThread; settings: ServingSettings }>;
  addAdapter(thread: ModelThread, name: string, source: ModelSource): Promise<void>;
}

export interface OpenOptions {
  /** Whether it takes adapters, which costs a seventh of its speed. */
  adapters: boolean;
  makeRoom(bytes: number): Promise<void>;
  signal: AbortSignal;
}

/** Opens models in processes of their own. `scratch`: a folder for what is laid out while a model is read. */
export function modelLoader(options: {
  repositories: ModelRepositories;
  scratch: string;
  memory_bytes: number;
}): ModelLoader {
  const { repositories, scratch, memory_bytes } = options;
  return {
    async open(source, { adapters, makeRoom, signal }) {
      await using files = await openModelFiles(source, repositories, scratch);
      const settings = servingSettings(await configOf(files.dir), memory_bytes);
      await makeRoom(settings.bytes);
      const { threads, max_batch, max_length } = settings;
      const thread = await openModelThread(
        {
          model_dir: files.dir,
          threads,
          max_batch,
          max_length,
          adapters,
          max_cache_bytes: Number.MAX_SAFE_INTEGER,
        },
        { signal },
      );
      return { thread, settings };
    },
    async addAdapter(thread, name, source) {
      await using files = await openModelFiles(source, repositories, scratch);
      await thread.addAdapter(name, files.dir);
    },
  };
}

/** The folder's config.json, when names and shapes of the weights fit it: a fault costs no process. */
async function configOf(dir: string) {
  await using model = await openModelFolder(dir);
  return model.config;
}
