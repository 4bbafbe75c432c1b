import type { TrainingOption } from "../../training/wire/customizer.ts";
import type { PlatformContext } from "../platform-context.ts";
import { type Collection, collection } from "../store/collection.ts";
import { type JobStore, jobStore } from "./job-store.ts";
import { fullName, joined, keyOf, type StoredConfig, type StoredTarget } from "./stored.ts";

/** What the Customizer keeps. */
export interface CustomizerStore {
  targets: Collection<StoredTarget>;
  configs: Collection<StoredConfig>;
  jobs: JobStore;
}

export function customizerStore({ database, log }: Pick<PlatformContext, "database" | "log">): CustomizerStore {
  return {
    targets: collection(database, "customization_target"),
    configs: collection(database, "customization_config"),
    jobs: jobStore(database, log),
  };
}

/** What a config repeats of its target. */
export function factsOfTarget(target: StoredTarget | undefined, name: string) {
  return {
    target: name,
    target_name: keyOf(name).name,
    target_base_model: target?.base_model ?? "",
    target_enabled: target?.enabled ?? false,
    num_parameters: target?.num_parameters ?? 0,
  };
}

/** What a config's training options offer, as lists are filtered by it. */
export function kindsOf(options: readonly TrainingOption[]) {
  return {
    _training_types: joined(options.map(({ training_type }) => training_type)),
    _finetuning_types: joined(options.map(({ finetuning_type }) => finetuning_type)),
  };
}

/** Writes a target, and what its configs repeat of it. */
export function putTarget({ targets, configs }: CustomizerStore, target: StoredTarget): void {
  if (!targets.put(target, target)) targets.insert(target, target);
  const name = fullName(target);
  for (const config of configs.all()) {
    if (config.target === name) configs.put(config, { ...config, ...factsOfTarget(target, name) });
  }
}
