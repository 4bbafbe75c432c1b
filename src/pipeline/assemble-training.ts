import type { Config } from "../config/config.ts";
import { usageError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Trainer } from "../registry/training.ts";
import type { TrainingBackend } from "../registry/training-backend.ts";
import { chosen } from "./assemble-pairs.ts";
import { buildAlone } from "./build-alone.ts";

/** What a training needs, alive. */
export interface TrainingParts {
  backend: TrainingBackend;
  collection: Trainer["collection"];
  wait_for_completion: boolean;
  /** The adapter's key and type in the configuration. */
  trainer_adapter: string;
  type: string;
  /** Values that must not reach a file. */
  secrets: readonly string[];
}

const USUAL_COLLECTION = {
  num_runs: 1,
  continue_on_collection_error: false,
  deduplicate_pairs: true,
  max_pairs: null,
};

/** Trainer and backend as `finetuning:` names them, else the only ones there are. Errors: `no_trainer_adapter`, `not_trainable`. */
export function assembleTraining(config: Config, log: Logger, secrets: readonly string[] = []): TrainingParts {
  const { trainer, trainer_adapter } = config.finetuning;
  const adapter = chosen(config, "trainer_adapters", trainer_adapter);
  if (adapter === undefined) {
    throw usageError({
      code: "no_trainer_adapter",
      where: config.file,
      what: "there is no trainer adapter: nobody to train with",
      fix: "add one: trainer_adapters: {nemo_adapter: {_type: nemo_customizer_trainer_adapter, …}}",
    });
  }
  const backend = buildAlone(adapter, "trainer_adapter", log).connect?.();
  if (backend === undefined) {
    throw usageError({
      code: "not_trainable",
      where: `trainer_adapters.${adapter.name}`,
      what: `a ${adapter.type} writes data sets, and trains nothing`,
      fix: "use `pairwright collect`, then `pairwright launch` for NeMo RL or TRL; or another trainer adapter",
    });
  }
  const named = chosen(config, "trainers", trainer);
  const built = named && buildAlone(named, "trainer", log);
  return {
    backend,
    collection: built?.collection ?? USUAL_COLLECTION,
    wait_for_completion: built?.wait_for_completion ?? true,
    trainer_adapter: adapter.name,
    type: adapter.type,
    secrets: [...config.secrets, ...secrets],
  };
}
