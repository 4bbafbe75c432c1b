import type { Config } from "../config/config.ts";
import type { Section } from "../config/schema.ts";
import { usageError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { assemblePairsAlone } from "../pipeline/assemble.ts";
import type { PairConfig } from "../pipeline/assemble-pairs.ts";
import { buildAlone } from "../pipeline/build-alone.ts";
import { createBuiltins } from "../pipeline/builtin-registry.ts";
import { pairConfigOfRun, withBuilderOptions } from "../pipeline/pair-parts-of-run.ts";
import type { PairParts } from "../pipeline/parts.ts";
import type { Scorer } from "../registry/workflow.ts";
import type { CommandInput } from "./command.ts";
import { number, oneOf, wholeNumber } from "./flags.ts";
import { environment, list, loadConfigFor, loadPluginsInto } from "./load.ts";

/**
 * What `pairs build` and `pairs merge` make pairs with: the configuration of `--config-file`, else what the first run
 * itself was made with; flags on top of either.
 */
export async function pairPartsFor(
  { args, flags, terminal }: Pick<CommandInput, "args" | "flags" | "terminal">,
  warn: (warning: string) => void,
): Promise<PairParts & { scorer?: Scorer }> {
  const [first] = args;
  if (list(flags.override).length > 0 && typeof flags.configFile !== "string") {
    throw usageError({
      code: "usage",
      where: "--override",
      what: "it changes a value of a configuration, and --config-file names none",
      fix: "add --config-file FILE, or use the flag of that setting (see --help)",
    });
  }
  if (first === undefined) throw usageError({ code: "usage", what: "no run was named", fix: "name a run's folder" });
  const builtins = createBuiltins({ env: await environment(), log: terminal });
  const scorer = typeof flags.scorer === "string" ? flags.scorer : undefined;
  const uses: Section[] = [
    "trajectory_builders",
    "split",
    ...(scorer === undefined ? [] : ["ttc_strategies" as const]),
  ];
  const loaded =
    typeof flags.configFile === "string"
      ? (await loadConfigFor({ args: [], flags, terminal, uses, builtins })).config
      : undefined;
  let config: PairConfig = await (loaded ??
    loadPluginsInto(builtins.registry, list(flags.plugin)).then(() => pairConfigOfRun(first, builtins.registry, warn)));

  const options = builderOptions(flags);
  if (Object.keys(options).length > 0) config = withBuilderOptions(config, builtins.registry, options);
  const training_type = oneOf(flags, "trainingType", ["dpo", "sft"]);
  const parts = assemblePairsAlone(config, { builtins, log: terminal }, training_type);
  const by = oneOf(flags, "by", ["auto", "example", "prompt", "group"]);
  const validation = number(flags, "validation");
  if (validation !== undefined && validation >= 1) {
    throw usageError({ code: "usage", where: "--validation", what: `${validation} is no share below 1` });
  }
  return {
    ...parts,
    ...(scorer !== undefined && { scorer: scorerNamed(scorer, loaded, terminal) }),
    max_pairs: wholeNumber(flags, "maxPairs", 1) ?? parts.max_pairs,
    deduplicate_pairs: flags.dedupe === false ? false : parts.deduplicate_pairs,
    use_full_message_history: flags.useFullMessageHistory === true || parts.use_full_message_history,
    split: { ...parts.split, ...(by && { by }), ...(validation !== undefined && { validation }) },
  };
}

/** A scorer of the configuration, built without any model: stored runs are scored without calling one. */
function scorerNamed(name: string, config: Config | undefined, log: Logger): Scorer {
  const where = `--scorer ${name}`;
  if (!config)
    throw usageError({
      code: "usage",
      where,
      what: "--config-file names no configuration",
      fix: "add --config-file FILE",
    });
  const part = config.ttc_strategies[name];
  if (part?.kind === "scorer") return buildAlone(part, "scorer", log);
  const scorers = Object.values(config.ttc_strategies).filter(({ kind }) => kind === "scorer");
  throw usageError({
    code: "unknown_reference",
    where,
    what: part ? `this is a ${part.kind}, not a scorer` : "there is none of this name under ttc_strategies",
    fix: `its scorers are: ${scorers.map((known) => known.name).join(", ") || "(none)"}`,
  });
}

function builderOptions(flags: Record<string, unknown>): Record<string, unknown> {
  const given = {
    ttc_step_name: flags.stepName,
    min_score_diff: number(flags, "minScoreDiff"),
    pair_mode: oneOf(flags, "pairMode", ["all", "best_vs_worst", "best_vs_lower"]),
    group_by: oneOf(flags, "groupBy", ["turn", "prompt"]),
    max_pairs_per_turn: wholeNumber(flags, "maxPairsPerTurn", 1),
    policy_candidates_only: flags.policyCandidatesOnly === true ? true : undefined,
    contradictions: oneOf(flags, "contradictions", ["drop", "keep"]),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
