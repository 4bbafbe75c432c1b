import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { HeldOutRule } from "../config/schema.ts";
import { EXIT, PairwrightError } from "../lib/errors.ts";
import { type Lock, takeLock } from "../lib/lock.ts";
import { type CollectResult, collectInto } from "./collect.ts";
import { counted } from "./describe-result.ts";
import { completedAt } from "./evaluate.ts";
import { type CollectionEntry, recordRun } from "./finetune/collection-history.ts";
import { chooseHeldOut, type HeldOut } from "./finetune/held-out.ts";
import { readJobRecord } from "./finetune/job-file.ts";
import {
  gateOf,
  judgeIn,
  type Measuring,
  measureIn,
  type Plan,
  planOf,
  refuseLateGate,
  refuseOtherPlan,
  refuseUndeployed,
  refuseUnknownMetrics,
  writtenPlan,
} from "./finetune/measuring.ts";
import { promoteIfBetter } from "./finetune/promote.ts";
import { refuseUntrainable } from "./finetune/refuse-untrainable.ts";
import { type FinetuneResult, type TrainingOptions, trainIn, trainingFor } from "./finetune/run-job.ts";
import { storedResult } from "./finetune/stored-result.ts";
import type { Measurement } from "./measure/measure-model.ts";
import { isEmpty } from "./pairs/build-pairs.ts";
import { PAIR_FILES } from "./pairs/draft.ts";
import { describeDropped, droppedMessages } from "./pairs/dropped-messages.ts";
import type { Parts } from "./parts.ts";
import { findUnfinishedRun, openRunFolder, type RunFolder } from "./run-folder.ts";
import type { RunOfDataset, RunOptions } from "./run-options.ts";
import { StageTimes } from "./stage-times.ts";

export interface FinetuneOptions extends RunOptions, Omit<TrainingOptions, "try_again"> {
  /** Share of the examples that nothing is collected from. */
  held_out: HeldOutRule;
  /** Absent: the model is measured neither before nor after. */
  measuring?: Measuring | undefined;
  /** What measuring the policy came to in an earlier round, where it was the model that came of it. */
  before?: Measurement | undefined;
}

/**
 * `collect × num_runs -> pairs -> data set -> job -> model -> deployment`, in one folder of the output folder, which this
 * process alone uses. With `resume` it goes on from whatever is there: runs, data set, or a job under way. What can be
 * seen of the backend is looked at first: the errors of `refuseUntrainable` come before anything is spent.
 */
export async function finetune(parts: Parts, options: FinetuneOptions): Promise<FinetuneResult> {
  const lock = await lockOutput(parts.output_dir);
  try {
    return await finetuneLocked(parts, options);
  } finally {
    await lock.release();
  }
}

/** Two finetunes would take each other's examples, splits and names. */
export async function lockOutput(output_dir: string): Promise<Lock> {
  await mkdir(output_dir, { recursive: true });
  return takeLock(join(output_dir, "finetune.lock"));
}

/** As `finetune`, for who holds the output folder's lock. */
export async function finetuneLocked(parts: Parts, options: FinetuneOptions): Promise<FinetuneResult> {
  const times = new StageTimes(options.now);
  try {
    return await collectAndTrain(parts, { ...options, times, began: options.now() });
  } finally {
    options.times?.addAll(times);
  }
}

/** What one finetune is told to do, and where its time goes. */
type Timed = FinetuneOptions & { times: StageTimes; began: number };

async function collectAndTrain(parts: Parts, options: Timed): Promise<FinetuneResult> {
  refuseUndeployed(options.measuring?.gate ?? "off", options.training);
  const held = await chooseHeldOut(parts.examples(), options.held_out);
  const plan = options.measuring && (await planOf(parts, held, options.measuring));
  const started = await trainingUnderWay(parts.output_dir, options);
  if (!started) return begin(parts, held, plan, options);
  options.log.info(`going on with the training of run ${started.manifest.run_id}`);
  try {
    if (plan) refuseOtherPlan(started, plan);
    if (options.candidate) refuseLateGate(started, plan);
    return await trainAndMeasure(started, await storedResult(started), parts, plan, options);
  } finally {
    await started.close();
  }
}

/** The run to resume, when it has a training job already: what it was collected from does not matter any more. */
async function trainingUnderWay(output_dir: string, { resume, command }: FinetuneOptions) {
  if (resume === undefined || resume === false) return undefined;
  const name = typeof resume === "string" ? resume : undefined;
  const manifest = await findUnfinishedRun(output_dir, { name, command });
  if (!manifest || (await readJobRecord(join(output_dir, manifest.run_id))) === undefined) return undefined;
  return openRunFolder(output_dir, manifest);
}

async function begin(parts: Parts, held: HeldOut, plan: Plan | undefined, options: Timed): Promise<FinetuneResult> {
  const { training, log, now, times } = options;
  const { num_runs, continue_on_collection_error } = training.collection;
  const history = { builder: parts.pairs.builder, num_runs, now, log };
  // Later rounds train where the first one did.
  if ((options.round ?? 1) === 1) await refuseUntrainable(options);
  if (held.count > 0) log.info(`${counted(held.count, "example")} held out: nothing is collected there`);
  if (num_runs > 1) log.info(`collecting in ${num_runs} runs of the data set`);
  const began = now();
  const { folder, result } = await collectInto(withoutHeldOut(parts, held), {
    ...options,
    plan: plan && writtenPlan(plan),
    num_runs,
    continue_on_failures: continue_on_collection_error,
    async afterRun(run) {
      const entry = await recordRun(run, history);
      refuseEmptyRun(run, entry, num_runs, continue_on_collection_error);
    },
  });
  times.add("collect", result.playing_seconds);
  times.add("pairs", (now() - began) / 1000 - result.playing_seconds);
  try {
    if (result.stopped || result.pairs === undefined) return result;
    if (isEmpty(result.pairs)) {
      await folder.update(over(options));
      return result;
    }
    return await trainAndMeasure(folder, result, parts, plan, options);
  } finally {
    await folder.close();
  }
}

/** Measures the policy, trains it, and measures what came of it over the same examples with the same seeds. */
async function trainAndMeasure(
  folder: RunFolder,
  result: CollectResult,
  parts: Parts,
  plan: Plan | undefined,
  options: Timed,
): Promise<FinetuneResult> {
  const { measuring, log } = options;
  const gate = gateOf(folder.manifest, plan);
  const training = { ...options, training: trainingFor(gate, options), try_again: true };
  await warnOfLoss(folder, parts, options);
  if (!measuring || !plan || !options.wait) return trainIn(folder, result, training);
  const measure = { ...options, plan, measuring };
  const before = options.before ?? (await measureIn(folder, "before", null, measure));
  if (before === undefined) return { ...result, stopped: "drained" };
  refuseUnknownMetrics(plan, measuring, before);
  const trained = await trainIn(folder, result, { ...training, measures: true });
  const { job } = trained;
  if (trained.fault || trained.stopped || !job?.model) return { ...trained, before };
  if (job.deployment?.status !== "ready") {
    log.warn("the trained model is not measured, since it is not deployed: set deploy_on_completion: true");
    await folder.update(over(options));
    return { ...trained, before };
  }
  const after = await measureIn(folder, "after", job.model, measure);
  if (after === undefined) return { ...trained, before, stopped: "drained" };
  const evaluators = Object.keys(parts.evaluators);
  const judged = await judgeIn(folder, { before, after }, { plan, seed: options.seed, evaluators });
  const promotes = options.candidate !== undefined && gate !== "off";
  const promoted = promotes ? await promoteIfBetter(folder, judged, options) : {};
  if (!promoted.stopped) await folder.update(over(options));
  return { ...trained, ...judged, ...promoted, gate };
}

/** What the manifest says when nothing is left to do. */
function over({ now, times, began }: Pick<Timed, "now" | "times" | "began">) {
  return { ...completedAt({ now }), timing: times.timing((now() - began) / 1000) };
}

/** Before anything is trained: that rows would lose what tells them apart. */
async function warnOfLoss(folder: RunFolder, { pairs }: Parts, { log, stop }: FinetuneOptions): Promise<void> {
  if (pairs.use_full_message_history || (await readJobRecord(folder.dir)) !== undefined) return;
  const path = folder.path(PAIR_FILES.pairs);
  const told = describeDropped(await droppedMessages(path, stop), path);
  if (told !== undefined) log.warn(told);
}

/** The same parts without the examples that a model will be measured on; which those are is part of what went in. */
function withoutHeldOut(parts: Parts, held: Awaited<ReturnType<typeof chooseHeldOut>>): Parts {
  return {
    ...parts,
    async *examples() {
      for await (const example of parts.examples()) if (!held.has(example)) yield example;
    },
    inputs: async () => ({ ...(await parts.inputs()), held_out: held.sha256 }),
  };
}

function refuseEmptyRun(run: RunOfDataset, { run_number }: CollectionEntry, num_runs: number, go_on: boolean): void {
  // Of the last one, and of the only one, the result tells by itself.
  if (run.completed > 0 || go_on || run_number === num_runs) return;
  throw new PairwrightError({
    code: "collection_failed",
    where: `run ${run_number} of ${num_runs}`,
    what: `no example completed (${Object.entries(run.errors)
      .map(([code, n]) => `${code} ${n}`)
      .join(", ")})`,
    fix: "mend that and go on with --resume; or set continue_on_collection_error: true",
    exit_code: EXIT.some_failed,
  });
}
