import { dirname } from "node:path";
import { usageError } from "../../../lib/errors.ts";
import { shellCommand, shellWord } from "../../../lib/shell-words.ts";
import { pod, whyNotKubernetes } from "../kubernetes.ts";
import type { LaunchFile, LaunchPlan, NemoRlInput, StartCommand } from "../launch-plan.ts";
import { whyNotRay } from "../ray-words.ts";
import { trainingShape } from "../training-shape.ts";
import { yamlText } from "../yaml-text.ts";
import { nemoRlConfig } from "./config.ts";

/** What a plan's files are called. */
const NAMES = { config: "dpo.yaml", slurm: "slurm.sh", kubernetes: "rayjob.yaml", convert: "to-hugging-face.sh" };

/**
 * NeMo RL's configuration, and the commands that start it: `uv run` on this machine, `ray.sub` on Slurm, a job of a Ray
 * cluster, a RayJob of KubeRay. Errors: `gpus_missing`, and those of `trainingShape`.
 */
export function planNemoRl(input: NemoRlInput): LaunchPlan {
  const { dir, output, name, machine, options } = input;
  if (machine.gpus === 0) {
    throw usageError({
      code: "gpus_missing",
      where: "--gpus",
      what: "NeMo RL trains on GPUs only",
      fix: "give the number of GPUs of a node, or train with TRL",
    });
  }
  const shape = trainingShape(input);
  const entry = ["uv", "run", "python", "examples/run_dpo.py", "--config", `${dir}/${NAMES.config}`];
  const { nemo_rl_dir: cwd, env } = options;
  const slurm = whyNotSlurm(input);
  const kubernetes = whyNotKubernetes(input);
  const onRay = ["ray", "job", "submit", "--no-wait", "--submission-id", name, "--"];
  const rayWords = inFolder(input, entry);
  const ray = whyNotRay(rayWords);
  const start = (tool: string, argv: readonly string[], more: Partial<StartCommand> = {}): StartCommand => {
    return { tool, argv, cwd: dir, env: {}, ...more };
  };
  return {
    target: "nemo-rl",
    files: [
      { name: NAMES.config, text: nemoRlConfig(input, shape) },
      { name: NAMES.convert, text: convertScript(input), executable: true },
      ...(slurm === undefined ? [slurmScript(input, entry)] : []),
      ...(kubernetes === undefined ? [rayJob(input, entry)] : []),
    ],
    start: {
      local:
        machine.nodes === 1
          ? start("uv", entry, { cwd, env })
          : { refused: `this machine is one node, and ${machine.nodes} are asked for` },
      slurm: slurm === undefined ? start("sbatch", ["bash", `${dir}/${NAMES.slurm}`]) : { refused: slurm },
      ray: ray === undefined ? start("ray", [...onRay, ...rayWords]) : { refused: ray },
      kubernetes:
        kubernetes === undefined
          ? start("kubectl", ["kubectl", "apply", "-f", `${dir}/${NAMES.kubernetes}`])
          : { refused: kubernetes },
    },
    watch: {
      target: "nemo-rl",
      log: `${output}/train.log`,
      metrics: `${output}/logs`,
      checkpoints: `${output}/checkpoints`,
      output,
      total_steps: shape.total_steps,
      batch_size: options.hyperparameters.batch_size,
      beta: options.hyperparameters.dpo.ref_policy_kl_penalty,
      first_loss: firstLoss(input),
    },
    warnings: warningsOf(input),
  };
}

/** -ln(1/2): before the first step the model is its own reference. */
function firstLoss({ options }: NemoRlInput): number | null {
  const { preference_loss_weight, sft_loss_weight } = options.hyperparameters.dpo;
  return sft_loss_weight === 0 ? Math.LN2 * preference_loss_weight : null;
}

/** Where a job of Ray begins is Ray's choice. */
function inFolder({ options }: NemoRlInput, entry: readonly string[]): string[] {
  const variables = Object.entries(options.env).map(([key, value]) => `${key}=${shellWord(value)} `);
  return ["bash", "-c", `cd ${shellWord(options.nemo_rl_dir)} && ${variables.join("")}${shellCommand(entry)}`];
}

/** `ray.sub` takes folders without quotes, and puts them into names in which `%`, commas and colons mean something. */
function whyNotSlurm(input: NemoRlInput): string | undefined {
  if (input.options.container === null) return "NeMo RL's ray.sub runs in a container: give `container`";
  const odd = mounted(input).find((folder) => /[^\p{L}\p{M}\p{N}_./@+=-]/u.test(folder));
  return odd === undefined
    ? undefined
    : `NeMo RL's ray.sub takes no folder like ${JSON.stringify(odd)}: letters, digits and _ . - + = @ alone are safe`;
}

/** `ray.sub` starts Ray on all nodes, and then the command on the first. */
function slurmScript(input: NemoRlInput, entry: readonly string[]): LaunchFile {
  const { output, name, machine, options } = input;
  const { slurm, container, nemo_rl_dir, env } = options;
  const limits = [
    `--nodes=${machine.nodes}`,
    `--gres=gpu:${machine.gpus}`,
    `--job-name=${name}`,
    `--time=${slurm.time}`,
    `--output=${output}/slurm-%j.log`,
    ...(slurm.account === null ? [] : [`--account=${slurm.account}`]),
    ...(slurm.partition === null ? [] : [`--partition=${slurm.partition}`]),
  ];
  const variables = {
    ...env,
    COMMAND: shellCommand(entry),
    CONTAINER: container ?? "",
    MOUNTS: mounts(input),
    GPUS_PER_NODE: String(machine.gpus),
    BASE_LOG_DIR: output,
  };
  const lines = Object.entries(variables).map(([key, value]) => `export ${key}=${shellWord(value)}`);
  const text = `#!/usr/bin/env bash
# Submits the training to Slurm. Its output: ${output}/<job>-logs/ray-driver.log
set -euo pipefail
mkdir -p ${shellWord(output)}
cd ${shellWord(nemo_rl_dir)}
${lines.join("\n")}
exec sbatch ${shellCommand(limits)} ray.sub
`;
  return { name: NAMES.slurm, text, executable: true };
}

/** The folders that a container must see, each where it is outside. */
function mounts(input: NemoRlInput): string {
  return mounted(input)
    .map((folder) => `${folder}:${folder}`)
    .join(",");
}

function mounted({ dir, output, files, options }: NemoRlInput): string[] {
  const { nemo_rl_dir, model_name } = options;
  const { training, validation } = files;
  const folders = [nemo_rl_dir, dir, output, dirname(training.path), dirname(validation.path)];
  if (model_name.startsWith("/")) folders.push(model_name);
  return [...new Set(folders)];
}

/** A head without a GPU, and a worker for each node; it ends with the job. */
function rayJob(input: NemoRlInput, entry: readonly string[]): LaunchFile {
  const { name, machine, options } = input;
  const head = pod(input, "ray-head", 0);
  const worker = pod(input, "ray-worker", machine.gpus);
  const group = { groupName: "gpus", replicas: machine.nodes, minReplicas: machine.nodes, maxReplicas: machine.nodes };
  const manifest = {
    apiVersion: "ray.io/v1",
    kind: "RayJob",
    metadata: { name, namespace: options.kubernetes.namespace },
    spec: {
      entrypoint: shellCommand(inFolder(input, entry)),
      submissionMode: "HTTPMode",
      shutdownAfterJobFinishes: true,
      // A job that failed is not begun anew: its checkpoints would be resumed by a run that fails again.
      backoffLimit: 0,
      rayClusterSpec: {
        headGroupSpec: {
          rayStartParams: { "num-gpus": "0" },
          template: { spec: { containers: [head.container], volumes: head.volumes } },
        },
        workerGroupSpecs: [
          {
            ...group,
            rayStartParams: { "num-gpus": String(machine.gpus) },
            template: { spec: { containers: [worker.container], volumes: worker.volumes } },
          },
        ],
      },
    },
  };
  return { name: NAMES.kubernetes, text: yamlText(manifest) };
}

function convertScript({ options, output }: NemoRlInput): string {
  return `#!/usr/bin/env bash
# Makes a checkpoint a folder that Hugging Face's libraries load:
#   ${NAMES.convert} ${shellWord(`${output}/checkpoints/step_N`)} OUTPUT
set -euo pipefail
checkpoint=$(realpath "$1")
output=$(realpath -m "$2")
cd ${shellWord(options.nemo_rl_dir)}
exec uv run python examples/converters/convert_dcp_to_hf.py --config="$checkpoint/config.yaml" \\
  --dcp-ckpt-path="$checkpoint/policy/weights" --hf-ckpt-path="$output"
`;
}

function warningsOf({ options }: NemoRlInput): string[] {
  const warnings = ["NeMo RL is not run by pairwright's tests: what it reads is checked against its documented keys"];
  if (options.hyperparameters.finetuning_type === "lora") {
    warnings.push("NeMo RL has no converter of its own for the adapters of a LoRA training by DTensor");
  }
  return warnings;
}
