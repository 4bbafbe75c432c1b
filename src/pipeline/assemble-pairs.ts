import type { ComponentConfig, Config } from "../config/config.ts";
import { usageError } from "../lib/errors.ts";
import type { Built, Kind, Registry } from "../registry/registry.ts";
import type { DatasetFormat, Trainer, TrainerAdapter, TrajectoryBuilder } from "../registry/training.ts";
import { componentPart } from "./component-part.ts";
import type { PairParts } from "./parts.ts";

/** Makes the live part of a component as the configuration has it. */
export type Build = <K extends Kind>(part: ComponentConfig, kind: K) => Built[K];

type Rows = TrainerAdapter["dataset"];

/** What a data set is made with when no adapter says otherwise. */
const USUAL_ROWS: Rows = {
  format: "nemo-customizer",
  use_full_message_history: false,
  training_type: "dpo",
  dataset_output_dir: null,
};

const USUAL_COLLECTION: Trainer["collection"] = {
  num_runs: 1,
  continue_on_collection_error: false,
  deduplicate_pairs: true,
  max_pairs: null,
};

/** The sections that pairs and data sets are made by. */
export type PairConfig = Pick<Config, "split" | "trajectory_builders" | "trainers" | "trainer_adapters"> & {
  finetuning: Pick<Config["finetuning"], "trajectory_builder" | "trainer" | "trainer_adapter">;
};

/**
 * Builder, trainer and adapter as `finetuning:` names them; else the only one there is; else the usual settings. Several
 * adapters need no choice where one set of rows serves all of them.
 * `training_type` replaces that of the adapter.
 */
export function assemblePairs(
  config: PairConfig,
  registry: Registry,
  build: Build,
  training_type?: PairParts["training_type"],
): PairParts {
  const { finetuning, split } = config;
  const named = chosen(config, "trajectory_builders", finetuning.trajectory_builder);
  const builder = named ?? componentPart(registry, { kind: "trajectory_builder", type: "dpo_traj_builder" });
  const trainer = chosen(config, "trainers", finetuning.trainer);

  const collection = trainer ? build(trainer, "trainer").collection : USUAL_COLLECTION;
  const rows = rowsFor(config, build, training_type);
  const parts: PairParts = {
    builder: build(builder, "trajectory_builder"),
    deduplicate_pairs: collection.deduplicate_pairs,
    max_pairs: collection.max_pairs,
    format: build(componentPart(registry, { kind: "format", type: rows.format }), "format"),
    format_name: rows.format,
    use_full_message_history: rows.use_full_message_history,
    training_type: training_type ?? rows.training_type,
    split,
    dataset_output_dir: rows.dataset_output_dir,
  };
  if (parts.training_type === "sft") requireCompletions(parts, builder.type);
  return parts;
}

/**
 * The rows that the adapter wants; of several, none of which is named, what all of them can be given: where their formats
 * differ, our own, of which each of the others is made. Error: `ambiguous`, where that cannot be.
 */
function rowsFor(config: PairConfig, build: Build, training_type: PairParts["training_type"] | undefined): Rows {
  const { trainer_adapters, finetuning } = config;
  const adapters = Object.values(trainer_adapters);
  if (finetuning.trainer_adapter !== undefined || adapters.length < 2) {
    const adapter = chosen(config, "trainer_adapters", finetuning.trainer_adapter);
    return adapter ? build(adapter, "trainer_adapter").dataset : USUAL_ROWS;
  }
  const wanted = adapters.map((adapter) => build(adapter, "trainer_adapter").dataset);
  const agreed = <K extends keyof Rows>(name: K): Rows[K] | undefined => {
    const [one, ...others] = new Set(wanted.map((rows) => rows[name]));
    return others.length === 0 ? one : undefined;
  };
  const type = training_type ?? agreed("training_type");
  const [format, dataset_output_dir] = [agreed("format"), agreed("dataset_output_dir")];
  // A folder that one of them asked for would hold rows of no format that it asked for.
  const inPlace = dataset_output_dir === null || (dataset_output_dir !== undefined && format !== undefined);
  if (type === undefined || !inPlace) throw ambiguous("trainer_adapters", Object.keys(trainer_adapters));
  return {
    format: format ?? "pairwright",
    use_full_message_history: agreed("use_full_message_history") ?? true,
    training_type: type,
    dataset_output_dir,
  };
}

/** Before anything is collected: rows of a kind that nobody can make would come to none. */
function requireCompletions({ builder, format, format_name }: PairParts, builder_type: string): void {
  const needed: [string, keyof TrajectoryBuilder | keyof DatasetFormat, boolean][] = [
    [`trajectory builder ${builder_type}`, "bestOf", builder.bestOf !== undefined],
    [`format ${format_name}`, "completionRow", format.completionRow !== undefined],
  ];
  for (const [where, method, isThere] of needed) {
    if (isThere) continue;
    throw usageError({
      code: "sft_rows",
      where,
      what: `it makes no rows for supervised fine-tuning: it has no ${method}`,
      fix: `set training_type: dpo, or give it ${method}`,
    });
  }
}

/** The component that `finetuning:` names, else the only one there is. Several without a choice are an error. */
export function chosen(
  config: PairConfig,
  section: "trajectory_builders" | "trainers" | "trainer_adapters",
  name: string | undefined,
): ComponentConfig | undefined {
  const parts = config[section];
  if (name !== undefined) return parts[name];
  const [only, ...others] = Object.values(parts);
  if (others.length === 0) return only;
  throw ambiguous(section, Object.keys(parts));
}

function ambiguous(section: string, names: readonly string[]) {
  const key = section.replace(/s$/, "");
  return usageError({
    code: "ambiguous",
    where: section,
    what: `there are several (${names.join(", ")}) and finetuning.${key} names none of them`,
    fix: `set finetuning.${key}`,
  });
}
