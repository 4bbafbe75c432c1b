import { join } from "node:path";
import type { Finetuning, Rounds } from "../config/schema.ts";
import { hash31 } from "../lib/hash.ts";
import type { Logger } from "../lib/log.ts";
import type { TrainingParts } from "./assemble-training.ts";
import { chooseHeldOut } from "./finetune/held-out.ts";
import { type Measuring, type NamedMetric, planOf, refuseOtherPlan } from "./finetune/measuring.ts";
import type { FinetuneResult } from "./finetune/run-job.ts";
import { type FinetuneOptions, finetuneLocked, lockOutput } from "./finetune.ts";
import { curriculumAt } from "./loop/curriculum.ts";
import { displacementOf } from "./loop/displacement.ts";
import { lastResult } from "./loop/finish-loop.ts";
import { finishedRound } from "./loop/finished-round.ts";
import { type Champion, type LoopRecord, putAside, type RoundRecord, readLoop, writeLoop } from "./loop/loop-record.ts";
import { retireRounds, serveAgain } from "./loop/round-deployments.ts";
import { sampleExamples } from "./loop/sample-examples.ts";
import { figureOf } from "./measure/figure-of.ts";
import type { Measurement } from "./measure/measure-model.ts";
import type { Parts } from "./parts.ts";
import { findUnfinishedRun, readManifest } from "./run-folder.ts";

/** Everything alive that one round needs. */
export interface RoundParts {
  parts: Parts;
  training: TrainingParts;
  close(): Promise<void>;
}

export interface LoopOptions extends Omit<FinetuneOptions, "before" | "replay" | "measuring"> {
  output_dir: string;
  rounds: Rounds;
  curriculum_learning: Finetuning["curriculum_learning"];
  measuring: Measuring;
  /** What the configuration names, with the newest model as policy (null: as configured). */
  assembleRound(place: { round: number; latest: string | null }): Promise<RoundParts>;
  onRound?: (round: RoundRecord, record: LoopRecord) => void;
}

export interface LoopResult {
  record: LoopRecord;
  /** What the last round came to; absent when no round was left to do. */
  last?: FinetuneResult;
  /** Whether all rounds are over, whatever came of them: the last one may have failed, or been stopped. */
  over: boolean;
}

/**
 * `collect -> pairs -> train -> deploy -> measure`, again and again, each round with the model of the one before as its
 * policy. The best model so far, by the held-out examples, is the champion; it is never lost, and a round that makes
 * things worse changes nothing of it. What earlier commands did in the output folder counts: rounds go on from there.
 */
export async function loop(options: LoopOptions): Promise<LoopResult> {
  const { output_dir, rounds, log } = options;
  const lock = await lockOutput(output_dir);
  try {
    if (options.resume === undefined || options.resume === false) await putAside(output_dir, rounds.count);
    let record = await readLoop(output_dir);
    let last: FinetuneResult | undefined;
    if (record.rounds.length > 0) {
      await refuseOtherExamples(record, options);
      log.info(`${record.rounds.length} rounds are done; going on from there`);
    }
    for (let round = record.rounds.length + 1; round <= rounds.count && record.ended === null; round += 1) {
      log.info(`round ${round} of ${rounds.count}`);
      last = await lastOf(round, record, { ...options, resume: last === undefined && (options.resume ?? false) });
      if (last.fault || last.stopped || isCutShort(last)) return { record, last, over: false };
      record = added(record, round, last, options);
      await writeLoop(output_dir, record);
      const newest = record.rounds.at(-1);
      if (newest) options.onRound?.(newest, record);
      sayRound(record, rounds, log);
      const { champion } = record;
      await retireRounds(record, (one) => one === newest || one.round === champion?.round, options);
    }
    return { record, ...(last && { last }), over: true };
  } finally {
    await lock.release();
  }
}

/** What a round comes to: one that was over when an earlier process was killed is not played again. */
async function lastOf(round: number, record: LoopRecord, options: LoopOptions): Promise<FinetuneResult> {
  const { output_dir, resume, command } = options;
  const over = resume ? await finishedRound(round, { output_dir, command }) : undefined;
  return over ?? (await playRound(round, record, { ...options, resume: await roundUnderWay(record, options) }));
}

/**
 * The run to go on with: one that is no round yet. Those that are over stay as they are, also where examples of theirs failed
 * and could run again.
 */
export async function roundUnderWay(
  { rounds }: Pick<LoopRecord, "rounds">,
  { output_dir, resume, command }: Pick<LoopOptions, "output_dir" | "resume" | "command">,
): Promise<string | false> {
  if (resume === undefined || resume === false) return false;
  const name = typeof resume === "string" ? resume : undefined;
  const run = await findUnfinishedRun(output_dir, { name, command });
  return run === undefined || rounds.some(({ run_id }) => run_id === run.run_id) ? false : run.run_id;
}

/** All rounds are measured on the same examples, and train on none of them: what earlier ones collected is trained on again. */
async function refuseOtherExamples({ rounds }: LoopRecord, options: LoopOptions): Promise<void> {
  const { output_dir, measuring, held_out } = options;
  const dir = join(output_dir, rounds.at(-1)?.run_id ?? "");
  const manifest = await readManifest(dir);
  if (manifest === undefined) return;
  const parts = await measuring.parts(null);
  try {
    refuseOtherPlan({ dir, manifest }, await planOf(parts, await chooseHeldOut(parts.examples(), held_out), measuring));
  } finally {
    await parts.close();
  }
}

/** Without pairs, and not all examples were played: that is no sign of a model that has nothing left to learn. */
export function isCutShort({ job, completed, failed }: Pick<FinetuneResult, "job" | "completed" | "failed">): boolean {
  return job === undefined && (failed > 0 || completed === 0);
}

async function playRound(round: number, record: LoopRecord, options: LoopOptions): Promise<FinetuneResult> {
  const { output_dir, rounds, measuring, assembleRound, seed, held_out, stop } = options;
  const newest = record.rounds.at(-1);
  const latest = newest?.model ?? null;
  const { parts, training, close } = await assembleRound({ round, latest });
  const earlier = record.rounds.map(({ run_id }) => join(output_dir, run_id));
  try {
    if (newest && !(await serveAgain(newest, { ...options, training }))) {
      return { ...(await lastResult(output_dir, record)), stopped: "drained" };
    }
    const sample = { share: rounds.example_share, held_out, earlier, seed: round, stop };
    return await finetuneLocked(await sampleExamples(parts, sample), {
      ...options,
      training,
      round,
      curriculum: curriculumAt(round, options.curriculum_learning),
      // Other games each round; what is measured on stays the same.
      seed: round === 1 ? seed : hash31("round", seed, round),
      measuring: { ...measuring, also: lookedAt(rounds), model: latest ?? measuring.model },
      before: record.newest ?? undefined,
      replay: rounds.replay ? earlier : undefined,
    });
  } finally {
    await close();
  }
}

function lookedAt({ goal, guard }: Rounds): NamedMetric[] {
  return Object.entries({ goal, guard }).flatMap(([name, level]) =>
    level === undefined ? [] : [{ where: `finetuning.rounds.${name}.metric`, metric: level.metric }],
  );
}

function added(record: LoopRecord, round: number, result: FinetuneResult, options: LoopOptions): LoopRecord {
  const { before, after, job, pairs, run_dir, seconds } = result;
  const { rounds, measuring } = options;
  const scoreOf = (measured: Measurement | undefined) => figureOf(measured, measuring.metric);
  const base = record.base ?? { model: before?.model ?? measuring.model, score: scoreOf(before) };
  const champion = record.champion ?? { round: 0, ...base };
  const score = scoreOf(after);
  const guard = rounds.guard ? figureOf(after, rounds.guard.metric) : null;
  const passes = !rounds.guard || (guard !== null && guard >= rounds.guard.at_least);
  const model = job?.model ?? null;
  const better = model !== null && passes && score !== null && isBetter(score, champion);
  const goal = rounds.goal ? figureOf(after, rounds.goal.metric) : null;
  const entry: RoundRecord = {
    round,
    run_id: run_dir.split(/[\\/]/).at(-1) ?? "",
    policy: before?.model ?? measuring.model,
    model,
    job_id: job?.id ?? null,
    pairs: pairs?.pairs ?? 0,
    score,
    guard,
    chosen_reward: job?.chosen_reward ?? null,
    reached: better && goal !== null && rounds.goal !== undefined && goal >= rounds.goal.at_least,
    champion: better,
    seconds,
  };
  const next: LoopRecord = {
    base,
    champion: better ? { round, model, score } : champion,
    rounds: [...record.rounds, entry],
    newest: after ?? null,
    ended: null,
  };
  return { ...next, ended: whyEnded(next, result, rounds) };
}

/** Of two rounds that measure the same, the later one was trained on more. The first model gives way to a better one only. */
function isBetter(score: number, champion: Champion): boolean {
  if (champion.score === null) return true;
  return champion.round === 0 ? score > champion.score : score >= champion.score;
}

/** Why no further round is played. */
export function whyEnded(
  { champion, rounds: done }: LoopRecord,
  { pairs }: FinetuneResult,
  rounds: Rounds,
): string | null {
  const newest = done.at(-1);
  if (newest === undefined) return null;
  if (newest.model === null) {
    const reasons = Object.entries(pairs?.skipped ?? {}).map(([reason, n]) => `${reason} ${n}`);
    const none = `no pairs are left (${reasons.join(", ") || "there were no candidates"})`;
    if (rounds.goal === undefined) return none;
    // The newest model was not measured: what it is worth is known of the champion.
    const reached = done.some(({ round, reached }) => reached && round === champion?.round);
    const { metric, at_least } = rounds.goal;
    return reached
      ? `the model is consistent, and the goal is reached: ${metric} of at least ${at_least}; ${none}`
      : `${none}, and the goal is not reached: ${metric} of at least ${at_least}`;
  }
  const { goal, patience } = rounds;
  if (goal && done.length >= goal.in_a_row && done.slice(-goal.in_a_row).every(({ reached }) => reached)) {
    const held = goal.in_a_row === 1 ? "" : `, in ${goal.in_a_row} rounds one after the other`;
    return `the goal is reached: ${goal.metric} of at least ${goal.at_least}${held}`;
  }
  const displaced = displacementOf(newest, rounds.displacement);
  if (rounds.displacement.stop && displaced !== undefined) return displaced;
  const since = newest.round - (champion?.round ?? 0);
  if (patience !== null && since >= patience) return `${since} rounds in a row brought no better model`;
  return null;
}

function sayRound({ rounds, champion, ended }: LoopRecord, asked: Rounds, log: Logger): void {
  const newest = rounds.at(-1);
  if (newest === undefined) return;
  const { round, score, guard, pairs, seconds } = newest;
  const figures = [
    `score ${score === null ? "unknown" : score.toFixed(4)}`,
    ...(guard === null ? [] : [`guard ${guard.toFixed(4)}`]),
    `${pairs} pairs`,
    `${seconds.toFixed(1)} s`,
  ];
  log.info(`round ${round}: ${figures.join(", ")}${newest.champion ? "; the best so far" : ""}`);
  const displaced = displacementOf(newest, asked.displacement);
  if (displaced !== undefined && ended !== displaced) {
    log.warn(`${displaced}; hyperparameters.dpo.sft_loss_weight 0.3 or a lower learning rate holds them`);
  }
  if (ended !== null) log.info(`${ended}; the champion is that of round ${champion?.round ?? 0}`);
}
