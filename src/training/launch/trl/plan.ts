import { dirname } from "node:path";
import { usageError } from "../../../lib/errors.ts";
import { shellCommand, shellWord } from "../../../lib/shell-words.ts";
import { kubernetesText, pod, whyNotKubernetes } from "../kubernetes.ts";
import type { LaunchFile, LaunchPlan, StartCommand, TrlInput } from "../launch-plan.ts";
import { whyNotRay } from "../ray-words.ts";
import { sbatchLine, sbatchPath, whyNoOutput, whyNotMounted } from "../sbatch.ts";
import { trainingShape } from "../training-shape.ts";
import { yamlText } from "../yaml-text.ts";
import { accelerateConfig } from "./accelerate.ts";
import { trlJob } from "./job.ts";
import { TRAIN_DPO } from "./script.ts";

/** What a plan's files are called. */
const NAMES = {
  script: "train_dpo.py",
  job: "train_dpo.json",
  accelerate: "accelerate.yaml",
  slurm: "train.sbatch",
  kubernetes: "job.yaml",
};

/** Where the processes of several nodes find each other. */
const PORT = 29500;

/**
 * A Python program that trains with TRL, its settings, and the commands that start it with `accelerate`: here, on Slurm, as
 * a job of a Ray cluster (one node), as a Job of Kubernetes. Errors: `gpus_missing`, those of
 * `trainingShape`.
 */
export function planTrl(input: TrlInput): LaunchPlan {
  const { dir, output, name, machine, options } = input;
  // Without MPI accelerate lets each node train by itself.
  if (machine.gpus === 0 && machine.nodes > 1) {
    throw usageError({
      code: "gpus_missing",
      where: "--gpus",
      what: "on several nodes TRL trains on GPUs only",
      fix: "give the number of GPUs of a node, or train on one node",
    });
  }
  const shape = trainingShape(input);
  const kubernetes = whyNotKubernetes(input);
  const slurm = whyNotSlurm(input);
  const one = accelerate(input);
  const start = (tool: string, argv: readonly string[]): StartCommand => ({ tool, argv, cwd: dir, env: options.env });
  const resources = machine.gpus === 0 ? [] : ["--entrypoint-num-gpus", String(machine.gpus)];
  const variables = Object.entries(options.env).map(([key, value]) => `${key}=${value}`);
  const rayWords = variables.length === 0 ? one : ["env", ...variables, ...one];
  const ray = whyNotOnRay(input, rayWords);
  const onRay = ["ray", "job", "submit", "--no-wait", "--submission-id", name, ...resources, "--"];
  return {
    target: "trl",
    files: [
      { name: NAMES.script, text: TRAIN_DPO },
      { name: NAMES.job, text: `${JSON.stringify(trlJob(input, shape), null, 2)}\n` },
      { name: NAMES.accelerate, text: accelerateConfig(input) },
      ...(slurm === undefined ? [slurmScript(input)] : []),
      ...(kubernetes === undefined ? [job(input)] : []),
    ],
    start: {
      local:
        machine.nodes === 1
          ? start(options.python, one)
          : { refused: `this machine is one node, and ${machine.nodes} are asked for` },
      slurm: slurm === undefined ? start("sbatch", ["sbatch", `${dir}/${NAMES.slurm}`]) : { refused: slurm },
      ray: ray === undefined ? start("ray", [...onRay, ...rayWords]) : { refused: ray },
      kubernetes:
        kubernetes === undefined
          ? start("kubectl", ["kubectl", "apply", "-f", `${dir}/${NAMES.kubernetes}`])
          : { refused: kubernetes },
    },
    watch: {
      target: "trl",
      log: `${output}/train.log`,
      metrics: `${output}/metrics.jsonl`,
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

function whyNotOnRay({ machine }: TrlInput, words: readonly string[]): string | undefined {
  if (machine.nodes === 1) return whyNotRay(words);
  return "a job of Ray starts one process on one node, and accelerate needs one on each: use Slurm";
}

function whyNotSlurm(input: TrlInput): string | undefined {
  return whyNoOutput(input.output) ?? (input.options.container === null ? undefined : whyNotMounted(mounted(input)));
}

/** The command of one node. On several, `rank` and `main` are what a shell there puts in. */
function accelerate({ dir, options }: TrlInput): string[] {
  const launch = ["-m", "accelerate.commands.launch", "--config_file", `${dir}/${NAMES.accelerate}`];
  return [options.python, ...launch, `${dir}/${NAMES.script}`, `${dir}/${NAMES.job}`];
}

/** The same for one of several nodes, as a line of a shell whose variables say which. */
function onNode(input: TrlInput, rank: string, main: string): string {
  const [python = "", ...rest] = accelerate(input);
  const [job = "", script = ""] = [rest.pop(), rest.pop()];
  const place = `--machine_rank "${rank}" --main_process_ip "${main}" --main_process_port ${PORT}`;
  return `${shellCommand([python, ...rest])} ${place} ${shellCommand([script, job])}`;
}

/** Before the first step the model is its own reference, so the margin is 0. */
function firstLoss({ options }: TrlInput): number | null {
  const { dpo, pairwright: own } = options.hyperparameters;
  const sigmoid = own?.loss_type === undefined || own.loss_type === "sigmoid";
  return sigmoid && dpo.sft_loss_weight === 0 ? Math.LN2 * dpo.preference_loss_weight : null;
}

function slurmScript(input: TrlInput): LaunchFile {
  const { output, name, machine, options } = input;
  const { slurm, env, container } = options;
  const lines = Object.entries(env).map(([key, value]) => `export ${key}=${shellWord(value)}`);
  const inContainer =
    container === null
      ? ""
      : ` --container-image=${shellWord(container)} --container-mounts=${shellWord(mounts(input))}`;
  const settings = [
    ["job-name", name],
    ["nodes", String(machine.nodes)],
    ["ntasks-per-node", "1"],
    ...(machine.gpus === 0 ? [] : [["gres", `gpu:${machine.gpus}`] as const]),
    ["time", slurm.time],
    ["output", `${sbatchPath(output)}/slurm-%j.log`],
    ...(slurm.account === null ? [] : [["account", slurm.account] as const]),
    ...(slurm.partition === null ? [] : [["partition", slurm.partition] as const]),
  ] as const;
  const command = machine.nodes === 1 ? shellCommand(accelerate(input)) : onNode(input, "$SLURM_NODEID", "$MAIN_NODE");
  const text = `#!/usr/bin/env bash
${settings.map(([option, value]) => sbatchLine(option, value)).join("\n")}
set -euo pipefail
${lines.map((line) => `${line}\n`).join("")}MAIN_NODE=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
export MAIN_NODE="\${MAIN_NODE%%$'\\n'*}"
srun --kill-on-bad-exit=1${inContainer} bash -c ${shellWord(command)}
`;
  return { name: NAMES.slurm, text };
}

/** The folders that a container must see, each where it is outside. */
function mounts(input: TrlInput): string {
  return mounted(input)
    .map((folder) => `${folder}:${folder}`)
    .join(",");
}

function mounted({ dir, output, files, options }: TrlInput): string[] {
  const folders = [dir, output, dirname(files.training.path), dirname(files.validation.path)];
  if (options.model_name.startsWith("/")) folders.push(options.model_name);
  return [...new Set(folders)];
}

/** An Indexed Job with a pod for each node, and the service by which they find the first. */
function job(input: TrlInput): LaunchFile {
  const { name, machine, options } = input;
  const { container, volumes } = pod(input, "train", machine.gpus);
  const { namespace } = options.kubernetes;
  const command =
    machine.nodes === 1 ? shellCommand(accelerate(input)) : onNode(input, "$JOB_COMPLETION_INDEX", `${name}-0.${name}`);
  const manifest = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace },
    spec: {
      completionMode: "Indexed",
      completions: machine.nodes,
      parallelism: machine.nodes,
      backoffLimit: 0,
      template: {
        spec: {
          subdomain: name,
          restartPolicy: "Never",
          containers: [{ ...container, command: ["bash", "-c", kubernetesText(command)] }],
          volumes,
        },
      },
    },
  };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { clusterIP: "None", publishNotReadyAddresses: true, selector: { "job-name": name } },
  };
  const documents = machine.nodes === 1 ? [manifest] : [service, manifest];
  return { name: NAMES.kubernetes, text: documents.map((each) => yamlText(each)).join("---\n") };
}

function warningsOf({ machine, options }: TrlInput): string[] {
  const { dpo } = options.hyperparameters;
  const warnings: string[] = [];
  if (dpo.sft_loss_weight > 0) {
    warnings.push("TRL's sft loss is a mean over the tokens of a batch, where NeMo's is a sum or mean of each reply");
  }
  if (machine.gpus > 0) {
    warnings.push(
      "pairwright's tests run TRL on CPUs, as one node and as two: GPUs and sharded weights were not tried",
    );
  }
  return warnings;
}
