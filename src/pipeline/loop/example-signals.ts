import { turnsOf } from "../../preferences/candidates.ts";
import { openRunIndex, runsFile } from "../pairs/run-lines.ts";
import { storedRuns, turnReader } from "../pairs/source.ts";

/** How an example's candidates were scored when it was played last. */
export interface Signal {
  /** The widest difference between two of one turn: what a pair could be made of. */
  spread: number;
  /** Of all that were scored. */
  mean: number;
}

/**
 * What the examples of some runs say, by id; where several folders have one, the last folder counts. Without a score an
 * example has no signal, and is not in it. Reads each run once; keeps a few numbers an example.
 */
export async function exampleSignals(
  folders: readonly string[],
  { step_name, signal }: { step_name: string; signal?: AbortSignal | undefined },
): Promise<Map<string, Signal>> {
  const signals = new Map<string, Signal>();
  for (const folder of folders) {
    await using index = await openRunIndex([await runsFile(folder)], { signal });
    for (const [id, one] of await signalsIn(index, step_name, signal)) signals.set(id, one);
  }
  return signals;
}

async function signalsIn(
  index: Awaited<ReturnType<typeof openRunIndex>>,
  step_name: string,
  signal: AbortSignal | undefined,
): Promise<Map<string, Signal>> {
  const sums = new Map<string, { spread: number; sum: number; n: number }>();
  for await (const batch of storedRuns(index, signal, turnReader())) {
    for (const { run } of batch) {
      const of = sums.get(run.example_id) ?? { spread: 0, sum: 0, n: 0 };
      for (const { candidates } of turnsOf(run, step_name)) {
        const scores = candidates.flatMap(({ score }) => (score === null ? [] : [score]));
        if (scores.length === 0) continue;
        of.spread = Math.max(of.spread, Math.max(...scores) - Math.min(...scores));
        of.sum += scores.reduce((sum, score) => sum + score, 0);
        of.n += scores.length;
      }
      if (of.n > 0) sums.set(run.example_id, of);
    }
  }
  return new Map([...sums].map(([id, { spread, sum, n }]) => [id, { spread, mean: sum / n }]));
}
