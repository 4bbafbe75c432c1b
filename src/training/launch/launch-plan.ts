import type { Finding, TrainingFiles } from "../../registry/training-backend.ts";
import type { NemoRlOptions, TrlOptions } from "./launch-options.ts";

/** Who starts a training: this machine, or the scheduler of others. */
export type Submitter = "local" | "slurm" | "ray" | "kubernetes";

/** What trains. */
export type LaunchTarget = "nemo-rl" | "trl";

/** `gpus` are those of one node; 0 trains on the CPU, where the trainer can. */
export interface MachineShape {
  nodes: number;
  gpus: number;
}

/** All that a plan is made of. Paths are absolute, and the same on every machine that trains. */
interface Input {
  /** Names the job: small letters, digits and dashes. */
  name: string;
  /** Rows in the options' `dataset_format`. */
  files: TrainingFiles;
  machine: MachineShape;
  /** The folder that the plan's files will lie in. */
  dir: string;
  /** A new folder of this run: checkpoints, metrics and logs. The trainers resume whatever lies there. */
  output: string;
}
export interface NemoRlInput extends Input {
  target: "nemo-rl";
  options: NemoRlOptions;
}
export interface TrlInput extends Input {
  target: "trl";
  options: TrlOptions;
}
export type LaunchInput = NemoRlInput | TrlInput;

export interface LaunchFile {
  /** A name in `dir`. */
  name: string;
  text: string;
  executable?: boolean;
}

/** A command, and the program that must be there for it. */
export interface StartCommand {
  tool: string;
  argv: readonly string[];
  /** Where it runs. */
  cwd: string;
  env: Readonly<Record<string, string>>;
}

/** Files to write, and how they are started. */
export interface LaunchPlan {
  target: LaunchTarget;
  files: LaunchFile[];
  /** By submitter; for one that cannot do it, the sentence that says why. */
  start: Readonly<Record<Submitter, StartCommand | { refused: string }>>;
  watch: Watch;
  /** What could not be checked from here, and what the user should know before it runs. */
  warnings: string[];
}

/** Where a training's traces will be, and what they should say. */
export interface Watch {
  target: LaunchTarget;
  /** The file that a local start writes the trainer's output to. Slurm's scripts write theirs below `output`, too. */
  log: string;
  /** TRL: a file of JSON lines. NeMo RL: the folder of its loggers. */
  metrics: string;
  /** The folder of its checkpoints. */
  checkpoints: string;
  /** The folder of the run. */
  output: string;
  /** Steps that it is to make. */
  total_steps: number;
  /** Pairs of one step. */
  batch_size: number;
  beta: number;
  /** The loss of the first step, where it is known: anything else means that the reference is another model. */
  first_loss: number | null;
}

/** What a look before the start came to. `failed` is what would train something else than was asked for. */
export interface LaunchFinding extends Finding {
  name: string;
  /** Of the error that a failed one is. */
  code: string | null;
}

/** What a training's own files say of it. */
export interface TrainingProgress {
  /** The last step that logged something; 0 before the first. */
  step: number;
  total_steps: number;
  loss: number | null;
  validation_loss: number | null;
  /** Of the last step that logged, by the names of our own engine's metrics: `loss`, `rewards/accuracies`, `eval_loss`… */
  metrics: Readonly<Record<string, number>>;
  /** Seconds; null until two steps have logged. */
  eta_s: number | null;
  checkpoint: Checkpoint | null;
}

/** The newest checkpoint whose files are all there. */
export interface Checkpoint {
  dir: string;
  step: number;
}

/** How a training ended, by its traces: both trainers can do nothing and exit with 0. */
export interface TrainingOutcome extends TrainingProgress {
  status: "completed" | "failed";
  /** What speaks against it, the log's last error among it. Empty for `completed`. */
  problems: string[];
  /** What a user should look at all the same. */
  warnings: string[];
}
