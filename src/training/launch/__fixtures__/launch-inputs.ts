import { NemoRlOptions, TrlOptions } from "../launch-options.ts";
import type { NemoRlInput, TrlInput } from "../launch-plan.ts";

type Changes<I extends { options: unknown }, O> = Partial<Omit<I, "options">> & { options?: O };

const COMMON = {
  name: "dpo-1",
  dir: "/shared/run/launch",
  output: "/shared/run/trained",
  files: {
    training: { path: "/shared/data/train.jsonl", rows: 1000 },
    validation: { path: "/shared/data/val.jsonl", rows: 100 },
  },
};

/** A launch on NeMo RL: 1000 pairs in batches of 128 on one GPU, unless told otherwise. */
export function nemoRlInput({ options, ...changes }: Changes<NemoRlInput, object> = {}): NemoRlInput {
  return {
    target: "nemo-rl",
    ...COMMON,
    machine: { nodes: 1, gpus: 1 },
    options: NemoRlOptions.parse({
      model_name: "Qwen/Qwen2.5-1.5B-Instruct",
      nemo_rl_dir: "/opt/nemo-rl",
      hyperparameters: { batch_size: 128, epochs: 2, learning_rate: 5e-6 },
      ...options,
    }),
    ...changes,
  };
}

/** The same on TRL, without a GPU. */
export function trlInput({ options, ...changes }: Changes<TrlInput, object> = {}): TrlInput {
  return {
    target: "trl",
    ...COMMON,
    machine: { nodes: 1, gpus: 0 },
    options: TrlOptions.parse({
      model_name: "Qwen/Qwen2.5-1.5B-Instruct",
      hyperparameters: { batch_size: 128, epochs: 2, learning_rate: 5e-6 },
      ...options,
    }),
    ...changes,
  };
}
