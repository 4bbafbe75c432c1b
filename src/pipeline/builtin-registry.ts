import { z } from "zod";
import { BUILTIN_FORMATS } from "../datasets/formats/builtin-formats.ts";
import { registerDatasets } from "../evaluation/datasets/register-datasets.ts";
import { evaluatorFromScorer } from "../evaluation/evaluator-from-scorer.ts";
import { systemClock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { scrubber } from "../lib/scrub.ts";
import { registerLlms } from "../llms/register-llms.ts";
import { openResponseCache, type ResponseCache } from "../llms/response-cache.ts";
import { dpoTrajBuilderComponent } from "../preferences/dpo-traj-builder.ts";
import { BUILTIN_READERS } from "../preferences/rollouts/readers/builtin-readers.ts";
import { createRegistry, type Registry } from "../registry/registry.ts";
import { nemoRlTrainerAdapterComponent, trlTrainerAdapterComponent } from "../training/launch/trainer-adapters.ts";
import { nemoCustomizerTrainerComponent } from "../training/nemo-customizer-trainer.ts";
import { nemoCustomizerTrainerAdapterComponent } from "../training/nemo-customizer-trainer-adapter.ts";
import { registerTtc } from "../ttc/register.ts";
import { registerScorers } from "../ttc/score/register-scorers.ts";

/** The table of components as it is before any plugin, and the cache that its models share once it is opened. */
export interface Builtins {
  registry: Registry;
  /** Keys that come from the environment: they must reach no file and no log. */
  secrets: readonly string[];
  /**
   * Opens the response cache in a folder; gives back what closes it. Until then no model reads or writes one. A server
   * may repeat a key that it was sent: `secrets`, and those of the environment, are taken out of what is kept.
   */
  openCache(folder: string, secrets: readonly string[]): Promise<() => Promise<void>>;
}

const KEY_VARIABLES = ["OPENAI_API_KEY", "NVIDIA_API_KEY", "NGC_API_KEY", "HF_TOKEN"];

/** Every component that comes with the program. The one place that knows them all. */
export function createBuiltins({ env, log }: { env: Record<string, string | undefined>; log: Logger }): Builtins {
  const registry = createRegistry();
  const keys = KEY_VARIABLES.map((name) => env[name]?.trim() ?? "").filter((key) => key !== "");
  let scrub = scrubber(keys);
  let opened: ResponseCache | undefined;
  const cache: ResponseCache = {
    get size() {
      return opened?.size ?? 0;
    },
    get: (key) => opened?.get(key),
    put: (key, json) => opened?.put(key, scrub(json)),
    close: async () => opened?.close(),
  };

  registerLlms(registry, { env, cache, clock: systemClock, random: Math.random });
  registerDatasets(registry);
  registerTtc(registry);
  registerScorers(registry);
  // What scores a candidate inside a workflow scores the workflow's output after it.
  for (const { type, component } of registry.list("scorer")) {
    registry.evaluator(type, evaluatorFromScorer(component as Parameters<typeof evaluatorFromScorer>[0]));
  }
  registry.trajectory_builder("dpo_traj_builder", dpoTrajBuilderComponent);
  for (const [name, { description, format }] of Object.entries(BUILTIN_FORMATS)) {
    registry.format(name, { description, options: z.strictObject({}), build: () => format });
  }
  for (const [name, { description, reader }] of Object.entries(BUILTIN_READERS)) {
    registry.reader(name, { description, options: z.strictObject({}), build: () => reader });
  }
  registry.trainer("nemo_customizer_trainer", nemoCustomizerTrainerComponent);
  registry.trainer_adapter(
    "nemo_customizer_trainer_adapter",
    nemoCustomizerTrainerAdapterComponent({ env, clock: systemClock }),
  );
  registry.trainer_adapter("nemo_rl_trainer_adapter", nemoRlTrainerAdapterComponent);
  registry.trainer_adapter("trl_trainer_adapter", trlTrainerAdapterComponent);

  return {
    registry,
    secrets: keys,
    async openCache(folder, secrets) {
      scrub = scrubber([...keys, ...secrets]);
      opened = await openResponseCache(folder, log);
      return async () => {
        await opened?.close();
        opened = undefined;
      };
    },
  };
}
