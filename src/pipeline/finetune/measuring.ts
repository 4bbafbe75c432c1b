import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { usageError } from "../../lib/errors.ts";
import { writeFileWhole } from "../../lib/files.ts";
import { sha256 } from "../../lib/hash.ts";
import type { Gate, RunManifest } from "../../records/manifest.ts";
import type { Example } from "../../registry/workflow.ts";
import type { TrainingParts } from "../assemble-training.ts";
import type { GateCriteria, GateVerdict } from "../gate.ts";
import { compare, type JudgingPlan } from "../measure/compare.ts";
import { type MetricName, metricName } from "../measure/example-scores.ts";
import { type Measurement, type MeasureOptions, measureModel } from "../measure/measure-model.ts";
import type { Parts } from "../parts.ts";
import type { RunFolder } from "../run-folder.ts";
import type { StageTimes } from "../stage-times.ts";
import type { HeldOut } from "./held-out.ts";

/** How to measure the model before and after. */
export interface Measuring {
  /** The llm that is trained, and its model as configured. */
  llm: string;
  model: string;
  /** `evaluator`, or `evaluator.metric`; the first evaluator's score unless told. */
  metric?: string | undefined;
  /** Further figures that are looked at, by rounds. */
  also?: readonly NamedMetric[];
  criteria: GateCriteria;
  gate: Gate;
  /** Whether it is measured on a data set of its own; else on what is held out. */
  own_dataset: boolean;
  /** Whether best-of-n is measured, too. */
  best_of_n: boolean;
  /** Decides every random choice of measuring: the same for all models that are compared. */
  seed: number;
  /** Everything that a run needs, with this model in the llm's place; null: as configured. */
  parts(model: string | null): Promise<Parts>;
}

/** What is known when both were measured. */
export interface Judged {
  before: Measurement;
  after?: Measurement;
  verdict?: GateVerdict;
}

/** Everything about the judging that is settled before anything is collected. */
export interface Plan extends JudgingPlan {
  gate: Gate;
  /** Whether an example is one of those that are measured on. */
  measures(example: Pick<Example, "id" | "row">): boolean;
}

/** Settles what will be measured and how it is judged. Errors: `no_metric`. */
export async function planOf(parts: Parts, held: HeldOut, measuring: Measuring): Promise<Plan> {
  const names = Object.keys(parts.evaluators);
  const metric = measuring.metric ?? names[0];
  if (metric === undefined) throw noEvaluator();
  for (const named of [judgedBy(metric), ...(measuring.also ?? [])]) {
    if (metricName(named.metric, names) === undefined) throw noMetric(named, names);
  }
  const { llm, criteria, gate } = measuring;
  const plan = { metric, criteria, llm, gate };
  if (measuring.own_dataset) {
    const own = await measuring.parts(null);
    try {
      let examples = 0;
      for await (const _ of own.examples()) examples += 1;
      const held_out = { examples, sha256: (await own.inputs()).dataset ?? "" };
      return { ...plan, held_out, measures: () => true };
    } finally {
      await own.close();
    }
  }
  // With nothing held out there is only what was trained on; the summary says so.
  const measures = held.count === 0 ? () => true : held.has;
  return { ...plan, held_out: { examples: held.count, sha256: held.count === 0 ? sha256("") : held.sha256 }, measures };
}

export interface MeasureInOptions extends Omit<MeasureOptions, "dir" | "model" | "best_of_n" | "seed"> {
  plan: Plan;
  measuring: Measuring;
  times?: StageTimes | undefined;
}

/** One measurement, in a folder of its own under the run's. Undefined where it was stopped. */
export async function measureIn(
  folder: RunFolder,
  name: "before" | "after" | "first" | "champion",
  model: string | null,
  { plan, measuring, times, ...options }: MeasureInOptions,
): Promise<Measurement | undefined> {
  const began = options.now();
  const parts = await measuring.parts(model);
  try {
    options.log.info(`measuring ${model ?? measuring.model} by itself (${name})`);
    const examples = async function* () {
      for await (const example of parts.examples()) if (plan.measures(example)) yield example;
    };
    const measured = await measureModel(
      { ...parts, examples },
      {
        ...options,
        ...{ model: model ?? measuring.model, dir: folder.path(name) },
        ...{ best_of_n: measuring.best_of_n, seed: measuring.seed },
      },
    );
    return measured && { ...measured, held_out: plan.held_out.examples > 0 };
  } finally {
    await parts.close();
    times?.add("measure", (options.now() - began) / 1000);
  }
}

/** Compares the two and writes what came of it, to `measurement.json` unless told. */
export async function judgeIn(
  folder: RunFolder,
  { before, after }: { before: Measurement; after: Measurement },
  {
    plan,
    seed,
    evaluators,
    file = "measurement.json",
  }: { plan: Plan; seed: number; evaluators: readonly string[]; file?: string },
): Promise<Required<Judged>> {
  const metric = metricName(plan.metric, evaluators) as MetricName;
  const verdict = await compare(before, after, { metric, criteria: plan.criteria, seed });
  const judged = { before, after, verdict };
  const text = JSON.stringify({ plan: writtenPlan(plan), ...judged }, null, 2);
  await writeFileWhole(folder.path(file), `${text}\n`);
  return judged;
}

/** The plan as a manifest holds it. */
export function writtenPlan({ measures: _, ...plan }: Plan): JudgingPlan {
  return plan;
}

/** A run that goes on must be judged on what it was begun with. */
export function refuseOtherPlan({ dir, manifest: { plan } }: Pick<RunFolder, "dir" | "manifest">, now: Plan): void {
  // What hangs on the verdict does not change it.
  if (plan === undefined || isDeepStrictEqual({ ...plan, gate: now.gate }, writtenPlan(now))) return;
  const { min_gain, confidence, min_n } = plan.criteria;
  throw usageError({
    code: "changed_since",
    where: join(dir, "manifest.json"),
    what: `what the model is judged by is not what was settled before collecting (${plan.metric} on ${plan.held_out.examples} examples, min_gain ${min_gain}, confidence ${confidence}, min_n ${min_n})`,
    fix: "change data set, finetuning.held_out and finetuning.gate back, or start a new run without --resume",
  });
}

/** What hangs on the verdict of a run: what it was begun with is known to whoever goes on with it, who may ask for the exit code. */
export function gateOf({ plan }: Pick<RunManifest, "plan">, now: Pick<Plan, "gate"> | undefined): Gate {
  if (now?.gate === "exit") return "exit";
  return plan?.gate ?? now?.gate ?? "off";
}

/** A gate cannot be put before a deployment that was made without one. */
export function refuseLateGate({ dir, manifest }: Pick<RunFolder, "dir" | "manifest">, now: Plan | undefined): void {
  if (manifest.plan?.gate !== "off" || now === undefined || now.gate === "off") return;
  throw usageError({
    code: "changed_since",
    where: join(dir, "manifest.json"),
    what: "this run was begun without a gate: its model is deployed under the configured name as soon as it is trained",
    fix: "leave --gate and finetuning.gate out to go on with it, or start a new run without --resume",
  });
}

/** Before anything is spent. A model that is not deployed answers nobody: the gate would never pass. */
export function refuseUndeployed(gate: Gate, { trainer_adapter, backend }: TrainingParts): void {
  if (gate === "off" || backend.deploy_on_completion) return;
  throw usageError({
    code: "not_measurable",
    where: `trainer_adapters.${trainer_adapter}.deploy_on_completion`,
    what: "a model that is not deployed cannot be measured, and the gate would never pass",
    fix: "set deploy_on_completion: true, or leave --gate and finetuning.gate out",
  });
}

/** A figure that a setting names. */
export interface NamedMetric {
  /** The setting. */
  where: string;
  /** `evaluator`, or `evaluator.metric`. */
  metric: string;
}

const judgedBy = (metric: string): NamedMetric => ({ where: "finetuning.gate.metric", metric });

/**
 * Once a model was measured, the names of an evaluator's metrics are known: what the gate and the rounds ask for must be
 * among them before anything is trained. Errors: `no_metric`.
 */
export function refuseUnknownMetrics(
  { metric }: Pick<Plan, "metric">,
  { also = [] }: Pick<Measuring, "also">,
  { scores }: Pick<Measurement, "scores">,
): void {
  for (const named of [judgedBy(metric), ...also]) {
    const of = metricName(named.metric, Object.keys(scores));
    const summary = of && scores[of.evaluator];
    // Where nothing was scored, nothing is known.
    if (!of?.metric || !summary || summary.n === 0 || Object.hasOwn(summary.metrics, of.metric)) continue;
    const there = Object.keys(summary.metrics).map((one) => `${of.evaluator}.${one}`);
    throw noMetric(named, [of.evaluator, ...there]);
  }
}

function noMetric({ where, metric }: NamedMetric, names: readonly string[]) {
  return usageError({
    code: "no_metric",
    where,
    what: `"${metric}" is no evaluator, nor a metric of one; there are ${names.join(", ")}`,
    fix: "name an evaluator of eval.evaluators, or evaluator.metric",
  });
}

function noEvaluator() {
  return usageError({
    code: "no_metric",
    where: "finetuning.gate.metric",
    what: "there is no evaluator to judge the trained model by",
    fix: "name an evaluator of eval.evaluators, or evaluator.metric",
  });
}
