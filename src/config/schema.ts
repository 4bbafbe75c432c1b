import { z } from "zod";
import { evaluatorRef, llmRef, trainerAdapterRef, trainerRef, trajectoryBuilderRef } from "../registry/refs.ts";
import type { Kind } from "../registry/registry.ts";

/** The keys that a file may have at the top. */
export const SECTIONS = [
  "base",
  "plugins",
  "platform",
  "llms",
  "functions",
  "ttc_strategies",
  "workflow",
  "eval",
  "trajectory_builders",
  "trainers",
  "trainer_adapters",
  "finetuning",
  "split",
] as const;
export type Section = (typeof SECTIONS)[number];

/** The sections at the top that hold components by name. */
export const NAMED_SECTIONS = [
  "llms",
  "functions",
  "ttc_strategies",
  "trajectory_builders",
  "trainers",
  "trainer_adapters",
] as const satisfies readonly Section[];

/** The kinds that each section's `_type` may name, the first that has the name wins. */
export const SECTION_KINDS = {
  llms: ["llm"],
  functions: ["function", "workflow"],
  ttc_strategies: ["search", "edit", "scorer", "selector"],
  workflow: ["workflow", "function"],
  "eval.evaluators": ["evaluator"],
  "eval.general.dataset": ["dataset"],
  trajectory_builders: ["trajectory_builder"],
  trainers: ["trainer"],
  trainer_adapters: ["trainer_adapter"],
} as const satisfies Record<string, readonly Kind[]>;
export type ComponentSection = keyof typeof SECTION_KINDS;

/** Sections of the toolkit that the seeds document, which have no counterpart here. */
export const FOREIGN_SECTIONS: Record<string, string> = {
  general: "leave it out; telemetry and front ends are not part of pairwright",
  function_groups: "name each function under functions",
  middleware: "put what it did into the functions themselves",
  embedders: "a plugin's components may embed what they need",
  memory: "a plugin's workflow may keep what it needs",
  object_stores: "data sets and results are files",
  optimizer: "leave it out",
  retrievers: "a plugin's function may retrieve what it needs",
  authentication: "give keys, as variables, in the options of the component that needs them",
};

/** `eval.general` without what its own schema knows of the data set: that is a component. */
export const EvalGeneral = z.strictObject({
  max_concurrency: z.int().min(1).default(8).describe("how many examples run at once"),
  output_dir: z.string().min(1).optional().describe("folder that gets one folder a run"),
  output: z
    .strictObject({ dir: z.string().min(1).optional().describe("the same as output_dir, over which it wins") })
    .optional(),
  workflow_alias: z.string().min(1).optional().describe("the workflow's name in the records"),
  dataset: z.unknown().optional(),
});
export type EvalGeneral = z.output<typeof EvalGeneral>;

/** Settings of the toolkit that pairwright refuses by name, with what to do instead. `false` switches them off there: taken. */
export const REFUSED: Record<string, string> = {
  "eval.general.output.cleanup": "pairwright never deletes: every run has a folder of its own",
  "eval.general.output.remote_dir": "pairwright writes to this machine: copy the run's folder when it is done",
  "eval.general.output.s3": "pairwright writes to this machine: copy the run's folder when it is done",
  "eval.general.output.custom_pre_eval_process_function": "a plugin's evaluator may prepare what it needs",
  "eval.general.output.custom_scripts": "run scripts after the command; --json names the run's folder",
  "eval.general.output.job_management": "every run has a folder of its own; nothing is evicted",
  "eval.general.output.workflow_output_step_filter": "runs.jsonl keeps every step",
  "eval.general.output.write_atif_workflow_output": "runs.jsonl keeps every step",
  "eval.general.profiler": "tokens, cost and time are in the summary and in manifest.json",
  "eval.general.validate_llm_endpoints": "the first call to a model names its endpoint when it fails",
  "eval.general.per_input_user_id": "a workflow here has no user: leave it out",
  "finetuning.run_configuration": "give these on the command line",
};

const Fraction = z.number().min(0).max(1);

const FirstToLast = z.strictObject({
  first: z.number().positive(),
  last: z.number().positive(),
  over: z.int().min(1).optional().describe("so many rounds, after which it stays; all of them unless told"),
});
const Level = z.strictObject({
  metric: z.string().min(1).describe("evaluator, or evaluator.metric"),
  at_least: z.number(),
});

const Rounds = z.strictObject({
  count: z.int().min(1).default(1).describe("how often to collect, train and measure; --rounds"),
  start_from: z
    .enum(["base", "latest"])
    .default("base")
    .describe("what each round trains: the base model anew, or the model of the round before (embedded platform only)"),
  replay: z.boolean().default(true).describe("pairs are made of the candidates of all rounds so far"),
  example_share: Fraction.positive()
    .default(1)
    .describe(
      "of the examples, from the second round on: first those not played yet and those whose scores differ most",
    ),
  keep_optimizer: z.boolean().default(true).describe("with start_from latest: the optimiser goes on, too"),
  learning_rate: FirstToLast.optional().describe("of the first round and of the last, evenly between"),
  beta: FirstToLast.optional().describe("likewise, of dpo.ref_policy_kl_penalty"),
  guard: Level.optional().describe("a model below this becomes no champion"),
  goal: Level.extend({ in_a_row: z.int().min(1).default(1).describe("so many rounds, one after the other") })
    .optional()
    .describe("champions that have this end the rounds"),
  displacement: z
    .strictObject({
      at_least: z.number().default(-0.0005).describe("below it they are less likely than the reference finds them"),
      stop: z.boolean().default(false).describe("end the rounds, rather than say so"),
    })
    .prefault({})
    .describe("what the reward of the chosen replies must be after a training"),
  patience: z.int().min(1).nullable().default(null).describe("end after so many rounds without a better champion"),
});
export type Rounds = z.output<typeof Rounds>;

const HeldOutRule = z.union([
  z.number().min(0).lt(1),
  z.strictObject({ field: z.string().min(1), value: z.string().min(1) }),
]);
export type HeldOutRule = z.output<typeof HeldOutRule>;

export const Finetuning = z.strictObject({
  enabled: z.boolean().default(false),
  trainer: trainerRef().optional(),
  trajectory_builder: trajectoryBuilderRef().optional(),
  trainer_adapter: trainerAdapterRef().optional(),
  reward_function: z.strictObject({ name: evaluatorRef() }).nullish().describe("the evaluator that judges a training"),
  target_functions: z.array(z.string().min(1)).min(1).default(["<workflow>"]),
  target_model: z.string().min(1).nullish(),
  num_epochs: z.int().min(1).default(1),
  output_dir: z.string().min(1).optional(),
  curriculum_learning: z
    .strictObject({
      enabled: z.boolean().default(false),
      initial_percentile: Fraction.default(0.3),
      increment_percentile: Fraction.default(0.2),
      expansion_interval: z.int().min(1).default(5),
      min_reward_diff: z.number().nonnegative().default(0.1),
      sort_ascending: z.boolean().default(false),
      random_subsample: Fraction.nullish(),
    })
    .prefault({}),
  held_out: HeldOutRule.default(0.2).describe(
    "share of the examples kept for measuring; 0 keeps none. Or a field of the data set: those with this value (as text)",
  ),
  gate: z
    .strictObject({
      metric: z.string().min(1).optional().describe("evaluator, or evaluator.metric"),
      min_gain: z.number().default(0).describe("by how much the trained model must be better"),
      confidence: z.number().gt(0).lt(1).default(0.95),
      min_n: z.int().min(1).default(1).describe("below so many examples the verdict is inconclusive"),
    })
    .optional(),
  best_of_n: z
    .boolean()
    .default(true)
    .describe("beside the model by itself, measure it with the workflow's own candidates and scorer choosing"),
  rounds: Rounds.prefault({}),
});
export type Finetuning = z.output<typeof Finetuning>;

export const Split = z
  .strictObject({
    validation: z.number().min(0).max(0.9).default(0.2).describe("share of the pairs that validate"),
    by: z
      .enum(["auto", "example", "prompt", "group"])
      .default("auto")
      .describe("what stays on one side; in rounds auto is the prompt"),
    group_key: z.string().min(1).optional().describe("the data set's field that names the group"),
  })
  .superRefine((split, context) => {
    if (split.by === "group" && split.group_key === undefined) {
      context.addIssue({
        code: "custom",
        path: ["group_key"],
        message: "by: group needs the field that names the group",
      });
    }
    if (split.by !== "group" && split.group_key !== undefined) {
      context.addIssue({ code: "custom", path: ["group_key"], message: "this has a meaning only with by: group" });
    }
  });
export type Split = z.output<typeof Split>;

export const PlatformOptions = z.strictObject({
  _type: z.literal("embedded"),
  serves: z.array(llmRef()).default([]).describe("the llms whose base_url is the platform's"),
  models: z
    .record(z.string().min(1), z.string().min(1))
    .default({})
    .describe("models that the platform has: a customization config's name -> the model's folder"),
});
export type Platform = z.output<typeof PlatformOptions>;
export const Platform = z.union([z.literal("embedded"), PlatformOptions]);

export const Plugins = z.array(z.string().min(1)).describe("files, or names of packages, that register components");
