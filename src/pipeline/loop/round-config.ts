import type { ComponentConfig, Config } from "../../config/config.ts";
import type { Rounds } from "../../config/schema.ts";
import { usageError } from "../../lib/errors.ts";
import { chosen } from "../assemble-pairs.ts";
import { withModel } from "../measure/policy-llm.ts";

/** What one round has of its own. */
export interface RoundPlace {
  /** From 1. */
  round: number;
  /** The llm that is trained. */
  llm: string;
  /** The model of the round before; null in the first one. */
  latest: string | null;
}

/**
 * The configuration of one round: the newest model plays, and is trained on or not, at this round's learning rate and
 * beta. The new model is deployed under a name of its own, so that it can be measured while the old one stays. Errors:
 * `rounds_need_platform`.
 */
export function roundConfig(config: Config, place: RoundPlace): Config {
  const { rounds } = config.finetuning;
  const { latest, llm } = place;
  const adapter = chosen(config, "trainer_adapters", config.finetuning.trainer_adapter);
  if (adapter === undefined) return config;
  if (rounds.start_from === "latest" && config.platform === undefined) throw needsPlatform(config.file);
  const changed = adapterOf(adapter, hyperparametersOf(adapter, rounds, place));
  const played = latest === null ? config : withModel(config, llm, { model_name: latest, base_url: config.nim_url });
  return {
    ...played,
    split: roundSplit(config),
    trainer_adapters: { ...played.trainer_adapters, [adapter.name]: changed },
  };
}

/**
 * How every round is split. What `auto` comes to is known when a round is over, and the next one may share a prompt where
 * this one did not: then a prompt that was trained on could stand in a later validation. By prompt none ever does.
 */
function roundSplit({ split, finetuning }: Config): Config["split"] {
  return finetuning.rounds.count > 1 && split.by === "auto" ? { ...split, by: "prompt" } : split;
}

type Options = Record<string, unknown>;

function adapterOf(adapter: ComponentConfig, hyperparameters: Options): ComponentConfig {
  const { options } = candidate(adapter);
  return { ...adapter, options: { ...options, hyperparameters, deploy_on_completion: true } };
}

/** The same adapter with deployments of their own names: what the configured name serves stays until a model is promoted. */
function candidate(adapter: ComponentConfig): ComponentConfig {
  const { deployment_config } = adapter.options as { deployment_config?: Options };
  if (deployment_config === undefined) return adapter;
  return {
    ...adapter,
    options: { ...adapter.options, deployment_config: { ...deployment_config, deployment_name: null } },
  };
}

/** The configuration of a training whose model has yet to show that it is better. */
export function candidateConfig(config: Config): Config {
  const adapter = chosen(config, "trainer_adapters", config.finetuning.trainer_adapter);
  if (adapter === undefined) return config;
  return { ...config, trainer_adapters: { ...config.trainer_adapters, [adapter.name]: candidate(adapter) } };
}

function hyperparametersOf({ options }: ComponentConfig, rounds: Rounds, { round, latest }: RoundPlace): Options {
  const given = (options.hyperparameters ?? {}) as Options;
  const made: Options = { ...given };
  if (rounds.learning_rate) made.learning_rate = between(rounds.learning_rate, round, rounds.count);
  if (rounds.beta) {
    made.dpo = { ...(given.dpo as Options), ref_policy_kl_penalty: between(rounds.beta, round, rounds.count) };
  }
  if (rounds.start_from === "base") return made;
  // The last weights go on, not the best ones on the way by the loss over validation pairs.
  const own: Options = { early_stopping_patience: null, ...(given.pairwright as Options | undefined) };
  if (rounds.keep_optimizer) own.save_optimizer = true;
  if (latest !== null) {
    own.start_from = latest;
    // The first model of all stays what preferences are compared with: against a new one each time, what is learned
    // already would be pushed on.
    own.reference_model ??= baseOf(options);
    if (rounds.keep_optimizer) {
      own.optimizer_from = latest;
      // An optimiser that goes on is warm.
      made.warmup_steps = 0;
    }
  }
  return { ...made, pairwright: own };
}

/** `ns/name@version+type` trains the base model `ns/name`. */
function baseOf({ customization_config }: Options): string {
  return String(customization_config).replace(/@.*$/, "");
}

/** Evenly from the first round's value to the last one's, over `count` rounds unless it says over how many. */
export function between(
  { first, last, over }: { first: number; last: number; over?: number | undefined },
  round: number,
  count: number,
): number {
  const steps = (over ?? count) - 1;
  const share = steps <= 0 ? 0 : Math.min(1, (round - 1) / steps);
  return first * (1 - share) + last * share;
}

function needsPlatform(file: string) {
  return usageError({
    code: "rounds_need_platform",
    where: `${file}: finetuning.rounds.start_from`,
    what: "only the embedded platform trains on from an earlier job's model",
    fix: "set start_from: base, which trains the base model on the pairs of all rounds; or add platform: embedded",
  });
}
