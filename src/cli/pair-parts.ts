import { usageError } from "../lib/errors.ts";
import { assemblePairsAlone } from "../pipeline/assemble.ts";
import { createBuiltins } from "../pipeline/builtin-registry.ts";
import { pairConfigOfRun, withBuilderOptions } from "../pipeline/pair-parts-of-run.ts";
import type { PairParts } from "../pipeline/parts.ts";
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
): Promise<PairParts> {
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
  let config = await (typeof flags.configFile === "string"
    ? loadConfigFor({ args: [], flags, terminal, uses: ["trajectory_builders", "split"], builtins }).then(
        (loaded) => loaded.config,
      )
    : loadPluginsInto(builtins.registry, list(flags.plugin)).then(() =>
        pairConfigOfRun(first, builtins.registry, warn),
      ));

  const options = builderOptions(flags);
  if (Object.keys(options).length > 0) config = withBuilderOptions(config, builtins.registry, options);
  const parts = assemblePairsAlone(config, { builtins, log: terminal });
  const by = oneOf(flags, "by", ["auto", "example", "prompt", "group"]);
  const validation = number(flags, "validation");
  if (validation !== undefined && validation >= 1) {
    throw usageError({ code: "usage", where: "--validation", what: `${validation} is no share below 1` });
  }
  return {
    ...parts,
    max_pairs: wholeNumber(flags, "maxPairs", 1) ?? parts.max_pairs,
    deduplicate_pairs: flags.dedupe === false ? false : parts.deduplicate_pairs,
    use_full_message_history: flags.useFullMessageHistory === true || parts.use_full_message_history,
    split: { ...parts.split, ...(by && { by }), ...(validation !== undefined && { validation }) },
  };
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
