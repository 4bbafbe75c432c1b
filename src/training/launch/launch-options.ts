import { z } from "zod";
import { TrainingHyperparameters } from "../nemo-customizer-options.ts";

/** What stands on one line of a script. */
const Line = z
  .string()
  .min(1)
  .regex(/^\P{Cc}*$/u, "it has a control character, such as the end of a line");

const Slurm = z.strictObject({
  account: Line.nullable().default(null),
  partition: Line.nullable().default(null),
  time: Line.default("4:00:00").describe("limit of the job, as sbatch takes it"),
});

const Kubernetes = z.strictObject({
  namespace: z.string().min(1).default("default"),
  claim: z.string().min(1).nullable().default(null).describe("persistent volume claim that holds data and output"),
  mount: z.string().startsWith("/").nullable().default(null).describe("where it is mounted, here and in the pods"),
  secret: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("secret whose keys become variables of the training, such as HF_TOKEN"),
});

/** What both trainers are told. */
const common = {
  model_name: z.string().min(1).describe("a model of the Hugging Face hub, or an absolute folder"),
  tokenizer_dir: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("a folder with the model's tokenizer, for the checks before the start; null: model_name, if it is one"),
  hyperparameters: TrainingHyperparameters.prefault({}),
  micro_batch_size: z.int().positive().nullable().default(null).describe("pairs at once on one GPU; null: at most 2"),
  max_length: z.int().min(2).default(1024).describe("tokens of prompt and reply together"),
  precision: z.enum(["bfloat16", "float32"]).default("bfloat16"),
  save_every: z.int().positive().default(50).describe("steps between checkpoints, about"),
  checkpoint_metric: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("the trainer's name of what its best checkpoints are told by; null: the validation's loss"),
  container: z
    .string()
    .regex(/^[^\s\p{Cc}]+$/u, "an image has no space in its name")
    .nullable()
    .default(null)
    .describe("image, for Slurm and Kubernetes"),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "this is no name of a variable"), z.string())
    .default({})
    .describe("variables of the training; they are written to files"),
  slurm: Slurm.prefault({}),
  kubernetes: Kubernetes.prefault({}),
  dataset_output_dir: z.string().min(1).nullable().default(null).describe("a folder that gets a copy of the files"),
};

/** The options of `nemo_rl_trainer_adapter`. */
export const NemoRlOptions = z.strictObject({
  ...common,
  dataset_format: z.enum(["nemo-rl-binary", "nemo-rl-ranked"]).default("nemo-rl-binary"),
  nemo_rl_dir: Line.startsWith("/").describe("the folder of NeMo RL's repository, the same wherever it trains"),
  tensor_parallel_size: z.int().positive().default(1).describe("GPUs that share one copy of the model"),
});
export type NemoRlOptions = z.output<typeof NemoRlOptions>;

/** The options of `trl_trainer_adapter`. */
export const TrlOptions = z.strictObject({
  ...common,
  dataset_format: z.enum(["trl-conversational", "trl"]).default("trl-conversational"),
  python: Line.default("python3").describe("a Python that has trl, accelerate and, for LoRA, peft"),
});
export type TrlOptions = z.output<typeof TrlOptions>;
