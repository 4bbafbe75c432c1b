import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { trlInput } from "../__fixtures__/launch-inputs.ts";
import { planLaunch } from "../plan-launch.ts";

function planOf(changes?: Parameters<typeof trlInput>[0]) {
  const plan = planLaunch(trlInput(changes));
  const text = (name: string) => plan.files.find((file) => file.name === name)!.text;
  return { plan, text, job: JSON.parse(text("train_dpo.json")), accelerate: parse(text("accelerate.yaml")) };
}

test("hyperparameters stand under the names of TRL's DPOConfig", () => {
  const { job } = planOf({
    machine: { nodes: 1, gpus: 4 },
    options: {
      max_length: 2048,
      hyperparameters: {
        batch_size: 64,
        epochs: 3,
        learning_rate: 1e-5,
        warmup_steps: 5,
        seed: 7,
        dpo: { ref_policy_kl_penalty: 0.05, sft_loss_weight: 0.1, preference_average_log_probs: true },
      },
    },
  });

  expect(job).toMatchObject({
    model_name: "Qwen/Qwen2.5-1.5B-Instruct",
    training_file: "/shared/data/train.jsonl",
    validation_file: "/shared/data/val.jsonl",
    metrics_file: "/shared/run/trained/metrics.jsonl",
    lora: null,
    merge: false,
  });
  expect(job.arguments).toMatchObject({
    output_dir: "/shared/run/trained/checkpoints",
    model_init_kwargs: { dtype: "float32" },
    bf16: true,
    per_device_train_batch_size: 2,
    gradient_accumulation_steps: 8,
    num_train_epochs: 3,
    max_steps: -1,
    learning_rate: 1e-5,
    lr_scheduler_type: "cosine_with_min_lr",
    lr_scheduler_kwargs: { min_lr: 1e-6 },
    warmup_steps: 5,
    seed: 7,
    beta: 0.05,
    loss_type: ["sigmoid_norm", "sft"],
    loss_weights: [1, 0.1],
    max_length: 2048,
    metric_for_best_model: "eval_loss",
    greater_is_better: false,
  });
});

test("LoRA is given to PEFT under its names, and a merged one is merged by the script", () => {
  const { job } = planOf({
    options: { hyperparameters: { finetuning_type: "lora_merged", lora: { target_modules: ["linear_qkv"] } } },
  });
  expect(job.lora).toEqual({
    r: 8,
    lora_alpha: 16,
    lora_dropout: 0,
    target_modules: ["q_proj", "k_proj", "v_proj"],
    task_type: "CAUSAL_LM",
  });
  expect(job.merge).toBe(true);
  expect(job.arguments.model_init_kwargs).toEqual({ dtype: "bfloat16" });
});

test("a schedule that ends above zero ends there", () => {
  const hyperparameters = (pairwright: object) => ({
    options: { hyperparameters: { learning_rate: 1e-4, pairwright } },
  });
  const ending = planOf(hyperparameters({ schedule: "linear", min_learning_rate_ratio: 0.2 })).job.arguments;
  expect(ending).toMatchObject({
    lr_scheduler_type: "polynomial",
    lr_scheduler_kwargs: { lr_end: 2e-5, power: 1 },
  });
  expect(planOf(hyperparameters({ schedule: "constant" })).job.arguments.lr_scheduler_type).toBe(
    "constant_with_warmup",
  );
});

test("all weights are sharded over several GPUs, adapters copied, and a CPU is one process", () => {
  const gpus = { machine: { nodes: 2, gpus: 8 } };
  const whole = planOf(gpus).accelerate;
  expect(whole).toMatchObject({
    distributed_type: "FSDP",
    num_machines: 2,
    num_processes: 16,
    mixed_precision: "bf16",
  });
  expect(whole.fsdp_config).toMatchObject({ fsdp_version: 2, fsdp_state_dict_type: "FULL_STATE_DICT" });
  const lora = planOf({
    ...gpus,
    options: { hyperparameters: { batch_size: 16, finetuning_type: "lora" } },
  }).accelerate;
  expect(lora).toMatchObject({ distributed_type: "MULTI_GPU", num_processes: 16 });

  const { text, accelerate } = planOf({ options: { precision: "float32" } });
  expect(accelerate).toMatchObject({ distributed_type: "NO", num_processes: 1, use_cpu: true });
  // Unquoted, Python reads it as false.
  expect(text("accelerate.yaml")).toContain('mixed_precision: "no"\n');
});

test("it is started here, on Slurm, on Ray and on Kubernetes", () => {
  const options = {
    python: "/opt/venv/bin/python",
    env: { HF_HOME: "/shared/hf cache" },
    container: "image:1",
    kubernetes: { claim: "workspace", mount: "/shared" },
  };
  const { plan, text } = planOf({ machine: { nodes: 1, gpus: 2 }, options });
  const launch = ["/opt/venv/bin/python", "-m", "accelerate.commands.launch", "--config_file"];
  const argv = [
    ...launch,
    ...["accelerate.yaml", "train_dpo.py", "train_dpo.json"].map((name) => `/shared/run/launch/${name}`),
  ];
  expect(plan.start.local).toEqual({
    tool: "/opt/venv/bin/python",
    argv,
    cwd: "/shared/run/launch",
    env: { HF_HOME: "/shared/hf cache" },
  });
  expect(plan.start.slurm).toMatchObject({ tool: "sbatch", argv: ["sbatch", "/shared/run/launch/train.sbatch"] });
  expect(plan.start.ray).toMatchObject({
    argv: [
      ...["ray", "job", "submit", "--no-wait", "--submission-id", "dpo-1", "--entrypoint-num-gpus", "2", "--"],
      ...["env", "HF_HOME=/shared/hf cache", ...argv],
    ],
  });
  expect(plan.start.kubernetes).toMatchObject({ argv: ["kubectl", "apply", "-f", "/shared/run/launch/job.yaml"] });
  const job = parse(text("job.yaml"));
  expect(job.spec).toMatchObject({ completionMode: "Indexed", completions: 1, backoffLimit: 0 });
  expect(job.spec.template.spec.containers[0].command).toEqual(["bash", "-c", argv.join(" ")]);
});

test("each of several nodes is told its rank and where the first is", () => {
  const { plan, text } = planOf({
    machine: { nodes: 2, gpus: 8 },
    options: { container: "image:1", kubernetes: { claim: "workspace", mount: "/shared" }, slurm: { account: "acme" } },
  });
  const script = text("train.sbatch");
  execFileSync("bash", ["-n", "-c", script]);
  for (const line of ["--nodes=2", "--ntasks-per-node=1", "--gres=gpu:8", "--account=acme"]) {
    expect(script).toContain(`#SBATCH ${line}\n`);
  }
  expect(script).toContain('--machine_rank "$SLURM_NODEID" --main_process_ip "$MAIN_NODE" --main_process_port 29500 ');
  expect(script).toContain("--container-image=image:1 --container-mounts=/shared/run/launch:/shared/run/launch,");

  const [service, job] = parseAllDocuments(text("job.yaml")).map((document) => document.toJSON());
  expect(service).toMatchObject({ kind: "Service", metadata: { name: "dpo-1" }, spec: { clusterIP: "None" } });
  expect(job.spec).toMatchObject({ completions: 2, parallelism: 2, template: { spec: { subdomain: "dpo-1" } } });
  expect(job.spec.template.spec.containers[0].command[2]).toContain(
    '--machine_rank "$JOB_COMPLETION_INDEX" --main_process_ip "dpo-1-0.dpo-1"',
  );
  expect(plan.start.ray).toEqual({
    refused: "a job of Ray starts one process on one node, and accelerate needs one on each: use Slurm",
  });
  expect(plan.warnings).toEqual([
    "pairwright's tests run TRL on CPUs, as one node and as two: GPUs and sharded weights were not tried",
  ]);
});

test("several nodes without GPUs are refused: each would train by itself", () => {
  expect(() => planOf({ machine: { nodes: 2, gpus: 0 } })).toThrow(expect.objectContaining({ code: "gpus_missing" }));
});
