import type { TrainingOptions } from "../../engine/train/training-options.ts";
import type {
  CustomizationConfig,
  CustomizationJob,
  CustomizationTarget,
  StatusDetails,
} from "../../training/wire/customizer.ts";
import type { EntityKey } from "../store/collection.ts";

/** A target as it is kept. What begins with `_` is for the platform alone. */
export interface StoredTarget extends CustomizationTarget {
  /** Whether it is a folder that `--models` named, not something that a client made. */
  _seeded?: boolean;
  /** Whether it was switched off because the newest start names it no more. */
  _gone?: boolean;
  /** Whether the model has a chat template of its own, and the tokens that it can take; not known before it is there. */
  _is_chat?: boolean;
  _context_size?: number;
}

/** A config as it is kept; the target's facts stand beside it, so that lists can be filtered and sorted by them. */
export interface StoredConfig extends CustomizationConfig {
  target: string;
  target_name: string;
  target_base_model: string;
  target_enabled: boolean;
  num_parameters: number;
  /** `/sft/dpo/` and `/lora/all_weights/`: what its training options offer, for the filters of these names. */
  _training_types: string;
  _finetuning_types: string;
  _seeded?: boolean;
}

/** All that a job's training needs, decided when it was made. */
export interface JobPlan {
  target: EntityKey;
  dataset: DatasetSource;
  options: TrainingOptions;
  prompt_template: string;
  log_every_n_steps: number;
  /** Up to 1 a share of an epoch, above it steps; null: after each epoch. */
  val_check_interval: number | null;
  /** Whether the best weights are looked for unless `options` says so itself. */
  stop_early: boolean;
  /** Names of models of this platform; null: as the engine has it. */
  start_from: string | null;
  reference_model: string | null;
  optimizer_from: string | null;
  save_optimizer: boolean;
  /** The output model: entity `namespace/name@revision`, repository `namespace/name`. */
  output: { namespace: string; name: string; revision: string };
}

/** Where a data set's files lie: in a repository of the Datastore, perhaps in one of its folders. */
export interface DatasetSource {
  /** `namespace/name`. */
  repository: string;
  revision: string;
  /** "" or `some/folder`. */
  folder: string;
}

export interface StoredJob extends CustomizationJob {
  _plan: JobPlan;
  /** `/namespace/namespace of the data set/`, for the lists that ask for either. */
  _places: string;
  /** The data set's files URL, for the filter of that name. */
  _files_url: string;
}

/** An entity as clients see it. */
export function shownTarget(target: StoredTarget): object {
  return visible(target);
}

/** With the target as it stands now; by its name where it is gone. */
export function shownConfig(config: StoredConfig, target: StoredTarget | undefined): object {
  const { target_name, target_base_model, target_enabled, num_parameters, ...rest } = config;
  return { ...visible(rest), target: target === undefined ? config.target : shownTarget(target) };
}

export function shownJob(job: StoredJob): object {
  return visible(job);
}

/** In lists the curves stay out: a page of jobs is not to weigh megabytes. */
export function listedJob(job: StoredJob): object {
  const { metrics, ...status_details } = job.status_details;
  return visible({ ...job, status_details });
}

/** `/status`, where what is not known is null. */
export function shownStatus({ status_details }: StoredJob): StatusDetails {
  const logs = status_details.status_logs.map(({ detail = null, ...log }) => ({ ...log, detail }));
  return { ...status_details, status_logs: logs };
}

function visible<T extends object>(entity: T): object {
  return Object.fromEntries(Object.entries(entity).filter(([key]) => !key.startsWith("_")));
}

/** `namespace/name` of something that lies there. */
export function fullName({ namespace, name }: EntityKey): string {
  return `${namespace}/${name}`;
}

/** The parts of `namespace/name`; the default namespace where there is one part only. */
export function keyOf(full: string): EntityKey {
  const slash = full.indexOf("/");
  return slash === -1
    ? { namespace: "default", name: full }
    : { namespace: full.slice(0, slash), name: full.slice(slash + 1) };
}

/** Several values in one text, so that a list can be asked for those that hold one of them: `contains` of `/value/`. */
export function joined(values: readonly string[]): string {
  return `/${[...new Set(values)].join("/")}/`;
}
