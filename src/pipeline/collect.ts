import { completedAt, type EvaluateResult, evaluateInto } from "./evaluate.ts";
import { buildPairs, type PairsSummary } from "./pairs.ts";
import type { Parts } from "./parts.ts";
import type { RunOptions } from "./run-options.ts";

export interface CollectResult extends EvaluateResult {
  pairs?: PairsSummary;
}

/** `eval`, then `candidates -> pairs -> split -> data-set files`, all into one run folder. */
export async function collectParts(parts: Parts, options: RunOptions): Promise<CollectResult> {
  const { folder, result } = await evaluateInto(parts, options);
  try {
    if (result.stopped) return result;
    const pairs = await buildPairs({ runs: [folder.dir], output: folder.dir, seed: options.seed, ...parts.pairs });
    await folder.update({
      ...completedAt(options),
      missing: { ...folder.manifest.missing, ...pairs.skipped },
      counts: {
        turns: pairs.turns,
        candidates: pairs.candidates,
        pairs: pairs.pairs,
        training: pairs.training,
        validation: pairs.validation,
      },
    });
    return { ...result, pairs };
  } finally {
    await folder.close();
  }
}
