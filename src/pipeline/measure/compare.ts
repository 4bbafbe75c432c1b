import { join } from "node:path";
import type { Gate } from "../../records/manifest.ts";
import { type GateCriteria, type GateVerdict, judge } from "../gate.ts";
import { exampleScores, type MetricName } from "./example-scores.ts";
import type { Measurement } from "./measure-model.ts";

/** How a trained model will be judged: written down before anything is collected. */
export interface JudgingPlan {
  /** `evaluator`, or `evaluator.metric`. */
  metric: string;
  criteria: GateCriteria;
  /** The llm whose model is trained. */
  llm: string;
  /** Of the examples that it is measured on. */
  held_out: { examples: number; sha256: string };
  /** Absent in runs of older versions. */
  gate?: Gate | undefined;
}

/** Judges two measurements over the same examples, each compared with itself. */
export async function compare(
  before: Measurement,
  after: Measurement,
  { metric, criteria, seed }: { metric: MetricName; criteria: GateCriteria; seed: number },
): Promise<GateVerdict> {
  const first = await exampleScores(join(before.run_dir, "scores.jsonl"), metric);
  const second = await exampleScores(join(after.run_dir, "scores.jsonl"), metric);
  const ids = [...new Set([...first.keys(), ...second.keys()])].sort();
  const scores = ids.map((id) => ({ before: first.get(id) ?? null, after: second.get(id) ?? null }));
  return judge(scores, criteria, seed);
}
