import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { nemoRlInput } from "../__fixtures__/launch-inputs.ts";
import { planLaunch } from "../plan-launch.ts";

/**
 * Every key that NeMo RL 0.6 knows of what is written here: `examples/configs/dpo.yaml` and the classes beside it
 * (`DPOConfig` in `nemo_rl/algorithms/dpo.py`, `CheckpointingConfig`, `DTensorConfig` and `LoRAConfig`, the arguments of the
 * dataset classes in `nemo_rl/data/datasets/preference_datasets/`), `defaults` and `_override_` of `nemo_rl/utils/config.py`.
 * A key beside them would be kept and never read: that is how the older layout trained on HelpSteer3.
 */
const KNOWN = `
defaults
data._override_ data.max_input_seq_length data.shuffle data.num_workers
data.train.dataset_name data.train.data_path data.train.split
data.train.prompt_key data.train.chosen_key data.train.rejected_key
data.validation.dataset_name data.validation.data_path data.validation.split
data.validation.prompt_key data.validation.chosen_key data.validation.rejected_key
policy.model_name policy.tokenizer.name policy.train_global_batch_size policy.train_micro_batch_size
policy.max_total_sequence_length policy.precision policy.max_grad_norm
policy.dtensor_cfg.enabled policy.dtensor_cfg._v2 policy.dtensor_cfg.tensor_parallel_size
policy.dtensor_cfg.lora_cfg.enabled policy.dtensor_cfg.lora_cfg.match_all_linear
policy.dtensor_cfg.lora_cfg.target_modules policy.dtensor_cfg.lora_cfg.dim policy.dtensor_cfg.lora_cfg.alpha
policy.dtensor_cfg.lora_cfg.dropout policy.dtensor_cfg.lora_cfg.use_triton
policy.optimizer.kwargs.lr policy.optimizer.kwargs.weight_decay policy.optimizer.kwargs.betas
policy.optimizer.kwargs.eps policy.scheduler
dpo.max_num_epochs dpo.max_num_steps dpo.val_period dpo.val_batches dpo.val_global_batch_size
dpo.val_micro_batch_size dpo.val_at_start dpo.val_at_end dpo.seed dpo.reference_policy_kl_penalty
dpo.preference_average_log_probs dpo.sft_average_log_probs dpo.preference_loss_weight dpo.sft_loss_weight
checkpointing.enabled checkpointing.checkpoint_dir checkpointing.metric_name checkpointing.higher_is_better
checkpointing.keep_top_k checkpointing.save_period checkpointing.save_optimizer
logger.log_dir logger.tensorboard_enabled logger.wandb_enabled logger.mlflow_enabled logger.swanlab_enabled
cluster.gpus_per_node cluster.num_nodes
`
  .trim()
  .split(/\s+/);

function keysOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, below]) => keysOf(below, path === "" ? key : `${path}.${key}`));
}

function configOf(changes?: Parameters<typeof nemoRlInput>[0]) {
  const plan = planLaunch(nemoRlInput(changes));
  const file = plan.files.find(({ name }) => name === "dpo.yaml")!;
  return { plan, config: parse(file.text, { version: "1.1" }) };
}

const LORA = { finetuning_type: "lora", lora: { adapter_dim: 16, alpha: 32, adapter_dropout: 0.05 } };

test("the configuration holds keys that NeMo RL reads, and all of them that are ours to say", () => {
  expect(KNOWN).toHaveLength(67);
  const { config } = configOf({ options: { hyperparameters: LORA } });
  expect(keysOf(config).sort()).toEqual([...KNOWN].sort());
});

test("hyperparameters stand under NeMo RL's names", () => {
  const { config } = configOf({
    machine: { nodes: 1, gpus: 8 },
    options: {
      max_length: 2048,
      hyperparameters: {
        batch_size: 64,
        epochs: 3,
        learning_rate: 1e-5,
        warmup_steps: 5,
        weight_decay: 0.1,
        adam_beta2: 0.98,
        seed: 7,
        dpo: { ref_policy_kl_penalty: 0.05, sft_loss_weight: 0.1, max_grad_norm: 0.5 },
      },
    },
  });

  expect(config.policy).toMatchObject({
    model_name: "Qwen/Qwen2.5-1.5B-Instruct",
    tokenizer: { name: "Qwen/Qwen2.5-1.5B-Instruct" },
    train_global_batch_size: 64,
    train_micro_batch_size: 2,
    max_total_sequence_length: 2048,
    max_grad_norm: 0.5,
    optimizer: { kwargs: { lr: 1e-5, weight_decay: 0.1, betas: [0.9, 0.98] } },
  });
  // 1000 pairs are 15 whole batches of 64; what is left is not trained on.
  expect(config.policy.scheduler).toEqual([
    { name: "torch.optim.lr_scheduler.LinearLR", kwargs: { start_factor: 1 / 6, end_factor: 1, total_iters: 5 } },
    { name: "torch.optim.lr_scheduler.CosineAnnealingLR", kwargs: { T_max: 40, eta_min: 1e-6 } },
    { milestones: [5] },
  ]);
  expect(config.dpo).toMatchObject({
    max_num_epochs: 3,
    max_num_steps: 45,
    seed: 7,
    reference_policy_kl_penalty: 0.05,
    preference_loss_weight: 1,
    sft_loss_weight: 0.1,
    val_at_end: true,
  });
  expect(config.checkpointing.save_period % config.dpo.val_period).toBe(0);
  expect(config.cluster).toEqual({ gpus_per_node: 8, num_nodes: 1 });
});

test("a schedule without a warm-up is a list all the same, since NeMo RL merges it onto a list", () => {
  const { config } = configOf({ options: { hyperparameters: { optimizer: "adamw_with_flat_lr" } } });
  expect(config.policy.scheduler).toEqual([
    { name: "torch.optim.lr_scheduler.ConstantLR", kwargs: { factor: 1, total_iters: 1 } },
    { milestones: [] },
  ]);
});

test("the user's files take the place of the base's data set, and are read by the class of their format", () => {
  const binary = configOf().config;
  expect(binary.defaults).toBe("/opt/nemo-rl/examples/configs/dpo.yaml");
  expect(binary.data).toMatchObject({
    _override_: true,
    train: {
      dataset_name: "BinaryPreferenceDataset",
      data_path: "/shared/data/train.jsonl",
      split: "train",
      prompt_key: "prompt",
    },
    validation: { dataset_name: "BinaryPreferenceDataset", data_path: "/shared/data/val.jsonl", split: "train" },
  });

  const ranked = configOf({ options: { dataset_format: "nemo-rl-ranked" } }).config;
  expect(ranked.data.train).toEqual({
    dataset_name: "PreferenceDataset",
    data_path: "/shared/data/train.jsonl",
    split: "train",
  });
});

test("LoRA asks for the second DTensor worker, which alone has it", () => {
  const { config } = configOf({
    machine: { nodes: 1, gpus: 2 },
    options: {
      tensor_parallel_size: 2,
      hyperparameters: { ...LORA, lora: { adapter_dim: 8, target_modules: ["linear_qkv", "*.o_proj"] } },
    },
  });
  expect(config.policy.dtensor_cfg).toMatchObject({
    _v2: true,
    lora_cfg: {
      enabled: true,
      match_all_linear: false,
      target_modules: ["q_proj", "k_proj", "v_proj", "*.o_proj"],
      dim: 8,
      alpha: 16,
      use_triton: false,
    },
  });
});

test("one GPU, eight GPUs and several nodes are started by the commands of NeMo RL's guide", () => {
  const command = ["uv", "run", "python", "examples/run_dpo.py", "--config", "/shared/run/launch/dpo.yaml"];
  const one = configOf();
  expect(one.plan.start.local).toEqual({ tool: "uv", argv: command, cwd: "/opt/nemo-rl", env: {} });
  expect(one.config.cluster).toEqual({ gpus_per_node: 1, num_nodes: 1 });

  const eight = configOf({ machine: { nodes: 1, gpus: 8 } });
  expect(eight.plan.start.local).toEqual(one.plan.start.local);
  expect(eight.config.cluster).toEqual({ gpus_per_node: 8, num_nodes: 1 });

  const several = configOf({ machine: { nodes: 2, gpus: 8 } });
  expect(several.config.cluster).toEqual({ gpus_per_node: 8, num_nodes: 2 });
  expect(several.plan.start.local).toEqual({ refused: "this machine is one node, and 2 are asked for" });
  expect(several.plan.start.ray).toMatchObject({
    tool: "ray",
    argv: [
      ...["ray", "job", "submit", "--no-wait", "--submission-id", "dpo-1", "--"],
      ...["bash", "-c", `cd /opt/nemo-rl && ${command.join(" ")}`],
    ],
  });
  expect(several.plan.start.slurm).toEqual({ refused: "NeMo RL's ray.sub runs in a container: give `container`" });
  expect(several.plan.start.kubernetes).toEqual({ refused: "Kubernetes needs an image: give `container`" });
});

test("the script for Slurm gives ray.sub what its guide says, word by word", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-launch-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await mkdir(join(dir, "bin"));
  await mkdir(join(dir, "nemo-rl"));
  const fake = `#!/bin/sh\n{ pwd; printf '%s\\n' "$@"; env | grep -E '^(COMMAND|CONTAINER|MOUNTS|GPUS_PER_NODE|BASE_LOG_DIR|HF_HOME)=' | sort; } >"${dir}/called"\necho Submitted batch job 7\n`;
  await writeFile(join(dir, "bin", "sbatch"), fake, { mode: 0o755 });
  const { plan } = configOf({
    machine: { nodes: 2, gpus: 8 },
    output: join(dir, "trained"),
    options: {
      nemo_rl_dir: join(dir, "nemo-rl"),
      container: "nvcr.io#nvidia/nemo-rl:v0.6.0",
      env: { HF_HOME: "/shared/hf cache" },
      slurm: { account: "acme", partition: "gpu" },
    },
  });
  const script = plan.files.find(({ name }) => name === "slurm.sh")!;
  await writeFile(join(dir, "slurm.sh"), script.text);
  const path = `${join(dir, "bin")}:${process.env.PATH}`;
  const { stdout } = await promisify(execFile)("bash", [join(dir, "slurm.sh")], { env: { PATH: path } });

  expect(stdout).toBe("Submitted batch job 7\n");
  const [cwd, ...rest] = (await readFile(join(dir, "called"), "utf8")).trim().split("\n");
  expect(cwd).toBe(join(dir, "nemo-rl"));
  expect(rest).toEqual([
    ...["--nodes=2", "--gres=gpu:8", "--job-name=dpo-1", "--time=4:00:00", `--output=${dir}/trained/slurm-%j.log`],
    ...["--account=acme", "--partition=gpu", "ray.sub"],
    `BASE_LOG_DIR=${dir}/trained`,
    "COMMAND=uv run python examples/run_dpo.py --config /shared/run/launch/dpo.yaml",
    "CONTAINER=nvcr.io#nvidia/nemo-rl:v0.6.0",
    "GPUS_PER_NODE=8",
    "HF_HOME=/shared/hf cache",
    `MOUNTS=${dir}/nemo-rl:${dir}/nemo-rl,/shared/run/launch:/shared/run/launch,${dir}/trained:${dir}/trained,/shared/data:/shared/data`,
  ]);
});

test("the RayJob has a worker with all GPUs for each node, the volume in every pod, and no key in it", () => {
  const { plan } = configOf({
    machine: { nodes: 2, gpus: 8 },
    options: {
      container: "nvcr.io/nvidia/nemo-rl:v0.6.0",
      kubernetes: { namespace: "rl", claim: "workspace", mount: "/shared", secret: "tokens" },
    },
  });
  const job = parse(plan.files.find(({ name }) => name === "rayjob.yaml")!.text, { version: "1.1" });
  const { rayClusterSpec, ...spec } = job.spec;

  expect(job).toMatchObject({ apiVersion: "ray.io/v1", kind: "RayJob", metadata: { name: "dpo-1", namespace: "rl" } });
  expect(spec.entrypoint).toBe(
    "bash -c 'cd /opt/nemo-rl && uv run python examples/run_dpo.py --config /shared/run/launch/dpo.yaml'",
  );
  const [worker] = rayClusterSpec.workerGroupSpecs;
  expect(worker).toMatchObject({ replicas: 2, rayStartParams: { "num-gpus": "8" } });
  const pods = [rayClusterSpec.headGroupSpec, worker].map(({ template }) => template.spec);
  for (const { containers, volumes } of pods) {
    expect(containers[0].volumeMounts[0]).toEqual({ name: "data", mountPath: "/shared" });
    expect(volumes[0]).toEqual({ name: "data", persistentVolumeClaim: { claimName: "workspace" } });
    expect(containers[0].envFrom).toEqual([{ secretRef: { name: "tokens" } }]);
  }
  expect(pods[1].containers[0].resources).toEqual({ limits: { "nvidia.com/gpu": 8 } });

  const elsewhere = configOf({
    options: { container: "i", kubernetes: { claim: "workspace", mount: "/data" } },
  }).plan.start.kubernetes;
  expect(elsewhere).toEqual({ refused: "/shared/run/launch is not below /data, where the volume is mounted" });
});

test("a machine without GPUs is refused", () => {
  expect(() => configOf({ machine: { nodes: 1, gpus: 0 } })).toThrow(
    expect.objectContaining({ code: "gpus_missing", exit_code: 2 }),
  );
});
