import type { TrlInput } from "../launch-plan.ts";
import { loraOf } from "../optimisation.ts";
import { yamlText } from "../yaml-text.ts";

/** As TRL ships them: weights and optimiser in shares, put together again for checkpoints. */
const SHARDED = {
  fsdp_version: 2,
  fsdp_auto_wrap_policy: "TRANSFORMER_BASED_WRAP",
  fsdp_cpu_ram_efficient_loading: true,
  fsdp_offload_params: false,
  fsdp_reshard_after_forward: true,
  fsdp_state_dict_type: "FULL_STATE_DICT",
  fsdp_activation_checkpointing: false,
};

/**
 * The file for `accelerate launch --config_file`. On several GPUs a training of all weights is sharded over them, since a
 * model with its reference and its optimiser seldom fits on one; adapters are copied.
 */
export function accelerateConfig({ machine, options }: TrlInput): string {
  const processes = machine.nodes * Math.max(1, machine.gpus);
  const sharded = processes > 1 && loraOf(options.hyperparameters) === null;
  const copied = processes > 1 ? "MULTI_GPU" : "NO";
  return yamlText({
    compute_environment: "LOCAL_MACHINE",
    distributed_type: sharded ? "FSDP" : copied,
    ...(sharded && { fsdp_config: SHARDED }),
    mixed_precision: options.precision === "bfloat16" ? "bf16" : "no",
    num_machines: machine.nodes,
    num_processes: processes,
    machine_rank: 0,
    rdzv_backend: "static",
    same_network: true,
    main_training_function: "main",
    use_cpu: machine.gpus === 0,
  });
}
