import type { SplitOptions } from "../datasets/split.ts";
import { datasetForFile } from "../evaluation/datasets/dataset-for-file.ts";
import { readExamples } from "../evaluation/examples.ts";
import { type Logger, silentLogger } from "../lib/log.ts";
import type { ChatModel } from "../registry/chat-model.ts";
import type { DatasetReader, DatasetShape } from "../registry/dataset.ts";
import type { Evaluator } from "../registry/evaluator.ts";
import type { WorkflowFunction } from "../registry/workflow.ts";
import { instrumentModel } from "../workflow/instrument.ts";
import { assemblePairsAlone } from "./assemble.ts";
import { buildAlone } from "./build-alone.ts";
import { type Builtins, createBuiltins } from "./builtin-registry.ts";
import { type CollectResult, collectParts } from "./collect.ts";
import { componentPart } from "./component-part.ts";
import { datasetHash } from "./dataset-hash.ts";
import type { Parts } from "./parts.ts";

export interface CollectOptions {
  /** Rows, or a `.json`, `.jsonl` or `.csv` file. */
  dataset: string | readonly Record<string, unknown>[];
  /** What the fields of a row mean, where they are not called `id`, `question` and `answer`. */
  shape?: DatasetShape;
  workflow: WorkflowFunction;
  evaluators?: Record<string, Evaluator>;
  /** Options of `dpo_traj_builder`, such as `{ min_score_diff: 0.1 }`. */
  pairs?: Record<string, unknown>;
  split?: Partial<SplitOptions>;
  deduplicate_pairs?: boolean;
  max_pairs?: number | null;
  use_full_message_history?: boolean;
  /** `sft`: the data-set files hold each turn's best reply, `{prompt, completion}`; `dpo` unless told. */
  training_type?: "dpo" | "sft";
  /** `./.tmp/pairwright/collect` unless told. */
  output_dir?: string;
  max_concurrency?: number;
  seed?: number;
  reps?: number;
  policy_only?: boolean;
  resume?: boolean | string;
  /** Stops starting examples; those under way end and are kept. */
  signal?: AbortSignal;
  log?: Logger;
}

/**
 * Collects without a configuration file: the same pipeline as the command, as a function. Writes a run folder and gives
 * back what came out and where it lies. Throws a PairwrightError on bad options or data.
 */
export async function collect(options: CollectOptions): Promise<CollectResult> {
  const log = options.log ?? silentLogger;
  const builtins = createBuiltins({ env: {}, log });
  const never = new AbortController().signal;
  return collectParts(partsOf(options, builtins, log), {
    command: "collect",
    version: "library",
    seed: options.seed ?? 0,
    reps: options.reps ?? 1,
    policy_only: options.policy_only ?? false,
    ...(options.resume !== undefined && { resume: options.resume }),
    drain: options.signal ?? never,
    stop: never,
    log,
    now: Date.now,
  });
}

/**
 * A chat model for a workflow written as a function: `_type` and options as under `llms:` in a configuration. Its calls
 * are recorded as steps of the running example. `env` holds the keys that the options do not give.
 */
export function chatModel(
  { _type = "openai", ...options }: { _type?: string; model_name: string } & Record<string, unknown>,
  { env = {}, log = silentLogger }: { env?: Record<string, string | undefined>; log?: Logger } = {},
): ChatModel {
  const { registry } = createBuiltins({ env, log });
  return instrumentModel(
    buildAlone(componentPart(registry, { kind: "llm", type: _type, where: "chatModel" }, options), "llm", log),
  );
}

function partsOf(options: CollectOptions, builtins: Builtins, log: Logger): Parts {
  const reader = readerOf(options, builtins, log);
  const { registry } = builtins;
  const pairs = assemblePairsAlone(
    {
      trajectory_builders: {
        pairs: componentPart(
          registry,
          { kind: "trajectory_builder", type: "dpo_traj_builder", where: "pairs" },
          options.pairs,
        ),
      },
      trainers: {},
      trainer_adapters: {},
      finetuning: {},
      split: { validation: 0.2, by: "auto", ...options.split },
    },
    { builtins, log },
    options.training_type,
  );
  return {
    workflow: { name: options.workflow.name || "workflow", run: options.workflow },
    examples: () => readExamples(reader),
    inputs: async () => ({ dataset: await datasetHash(reader) }),
    evaluators: options.evaluators ?? {},
    shape: reader.shape ?? {},
    pairs: {
      ...pairs,
      deduplicate_pairs: options.deduplicate_pairs ?? pairs.deduplicate_pairs,
      max_pairs: options.max_pairs ?? pairs.max_pairs,
      use_full_message_history: options.use_full_message_history ?? pairs.use_full_message_history,
    },
    max_concurrency: options.max_concurrency ?? 8,
    output_dir: options.output_dir ?? "./.tmp/pairwright/collect",
    secrets: [],
    knows_cost: false,
    close: async () => undefined,
  };
}

function readerOf({ dataset, shape = {} }: CollectOptions, { registry }: Builtins, log: Logger): DatasetReader {
  if (typeof dataset !== "string") {
    return {
      shape,
      async *rows() {
        for (const [index, row] of dataset.entries()) yield { row, where: `dataset: row ${index + 1}` };
      },
    };
  }
  const { _type, ...rest } = datasetForFile(dataset, { ...shape });
  return buildAlone(componentPart(registry, { kind: "dataset", type: _type }, rest), "dataset", log);
}
