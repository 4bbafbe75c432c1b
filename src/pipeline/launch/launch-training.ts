import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { PairwrightError, usageError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { scrubber } from "../../lib/scrub.ts";
import type { TrainingFiles } from "../../registry/training-backend.ts";
import type { NemoRlOptions, TrlOptions } from "../../training/launch/launch-options.ts";
import type {
  LaunchFinding,
  LaunchInput,
  LaunchPlan,
  MachineShape,
  StartCommand,
  Submitter,
  TrainingOutcome,
  TrainingProgress,
} from "../../training/launch/launch-plan.ts";
import { planLaunch } from "../../training/launch/plan-launch.ts";
import { preflight, refuseFailed } from "../../training/launch/preflight.ts";
import type { NamedFormats } from "../pairs/read-pairs.ts";
import type { PairSource } from "./find-pairs.ts";
import { type LaunchRecord, newLaunchDir, rewriteLaunch, writeLaunch } from "./launch-folder.ts";
import { lockLaunch } from "./launch-lock.ts";
import { type LaunchJob, submit, typedCommand } from "./submit.ts";
import { trainHere } from "./train-here.ts";
import { type TrainingData, writeTrainingData } from "./write-training-data.ts";

/** The trainer, with the options of its adapter. */
export type LaunchTrainer = { target: "nemo-rl"; options: NemoRlOptions } | { target: "trl"; options: TrlOptions };

export interface LaunchTrainingOptions {
  trainer: LaunchTrainer;
  machine: MachineShape;
  output_dir: string;
  source: PairSource;
  formats: NamedFormats;
  /** Absent: the files are written, and nothing is started. */
  submitter: Submitter | undefined;
  dry_run: boolean;
  /** Values that must stand in no file that is written. */
  secrets: readonly string[];
  version: string;
  env: Readonly<Record<string, string | undefined>>;
  now: () => number;
  drain: AbortSignal;
  stop: AbortSignal;
  log: Logger;
  onProgress: (progress: TrainingProgress) => void;
}

export interface LaunchTrainingResult {
  dir: string;
  /** Absolute paths. */
  files: string[];
  /** The one that was asked for, else the first that can be. */
  start: StartCommand;
  /** Every way to start it, as it is typed. */
  commands: Partial<Record<Submitter, string>>;
  /** The others, and why not. */
  refused: Partial<Record<Submitter, string>>;
  findings: readonly LaunchFinding[];
  pairs: TrainingData["converted"];
  job: LaunchJob | null;
  /** Where its traces will be. */
  watch: LaunchPlan["watch"];
  /** Of a local run: how it ended. */
  outcome?: TrainingOutcome;
  fault?: PairwrightError;
}

/**
 * A training on another trainer: its data, its files and how it is started, written whole or not at all; then started
 * where a submitter was named and this is no dry run. Errors: what the plan and the look before the start refuse.
 */
export async function launchTraining(options: LaunchTrainingOptions): Promise<LaunchTrainingResult> {
  const { submitter, dry_run, output_dir, log } = options;
  const dir = await newLaunchDir(output_dir, options.now());
  const written = await writeAll(dir, options);
  const { plan, findings, record } = written;
  for (const { status, detail } of findings) if (status === "warning" || status === "unknown") log.warn(detail);
  for (const warning of plan.warnings) log.warn(warning);
  const result = resultOf(dir, written, submitter);
  if (submitter === undefined || dry_run) return result;
  if (submitter === "local") {
    await using _lock = await lockLaunch(dir);
    return { ...result, ...(await trainHere(plan.watch, result.start, options)) };
  }
  try {
    const job = await submit(submitter, result.start, { env: options.env, signal: options.drain });
    await rewriteLaunch(dir, [], { ...record, job });
    return { ...result, job };
  } catch (error) {
    if (!PairwrightError.is(error)) throw error;
    return { ...result, fault: error };
  }
}

interface Written {
  record: LaunchRecord;
  plan: LaunchPlan;
  findings: readonly LaunchFinding[];
  data: TrainingData;
}

function recordOf(
  { watch }: LaunchPlan,
  { trainer, machine, source, version, now }: LaunchTrainingOptions,
): LaunchRecord {
  return {
    ...{ on: trainer.target, pairwright_version: version, created_at: new Date(now()).toISOString(), job: null },
    ...{ asked: { ...machine, source }, watch },
  };
}

async function writeAll(dir: string, options: LaunchTrainingOptions): Promise<Written> {
  const { trainer, formats, source, drain } = options;
  let written: Written | undefined;
  await writeLaunch(dir, async (partial) => {
    const to = trainer.options.dataset_format;
    const data = await writeTrainingData(join(partial, "data"), { source, formats, to, signal: drain });
    // Written here, and read there once this folder has its name.
    const findings = await preflight(inputOf(dir, data.files, options), { signal: drain, places: data.places });
    refuseFailed(findings);
    const plan = planLaunch(inputOf(dir, below(join(dir, "data"), data.files), options));
    refuseStart(plan, options);
    refuseSecrets(plan, options.secrets);
    await mkdir(join(partial, "output"));
    written = { record: recordOf(plan, options), plan, findings, data };
    return { record: written.record, files: plan.files };
  });
  if (written === undefined) throw new TypeError("nothing was written");
  return written;
}

function inputOf(dir: string, files: TrainingFiles, { trainer, machine }: LaunchTrainingOptions): LaunchInput {
  return { ...trainer, name: basename(dir).toLowerCase(), files, machine, dir, output: join(dir, "output") };
}

/** The same files, where they are once their folder has its name. */
function below(dir: string, { training, validation }: TrainingFiles): TrainingFiles {
  const at = (file: TrainingFiles["training"]) => ({ ...file, path: join(dir, basename(file.path)) });
  return { training: at(training), validation: at(validation) };
}

function refuseStart({ start }: LaunchPlan, { submitter, trainer }: LaunchTrainingOptions): void {
  if (submitter === undefined) return;
  const way = start[submitter];
  if (!("refused" in way)) return;
  throw usageError({
    code: "not_startable",
    where: `--on ${trainer.target} --submit ${submitter}`,
    what: way.refused,
    fix: "mend it, or leave --submit out to see which ways there are",
  });
}

/** What stands in a file is read by whoever may read the folder. */
function refuseSecrets({ files }: LaunchPlan, secrets: readonly string[]): void {
  const scrub = scrubber(secrets);
  const holding = files.find(({ text }) => scrub(text) !== text);
  if (holding === undefined) return;
  throw usageError({
    code: "secret_in_script",
    where: holding.name,
    what: "a secret of the configuration would stand in this file",
    fix: "take it out of the adapter's options; the trainer's own environment may hold it, or a secret of Kubernetes",
  });
}

function resultOf(dir: string, { plan, findings, data }: Written, submitter: Submitter | undefined) {
  const ways = Object.entries(plan.start).flatMap(([name, way]) => ("refused" in way ? [] : [[name, way] as const]));
  const refusals = Object.entries(plan.start).flatMap(([name, way]) => ("refused" in way ? [[name, way.refused]] : []));
  const [, start] = ways.find(([name]) => name === submitter) ?? ways[0] ?? [];
  if (start === undefined) throw new TypeError("a plan that nothing can start");
  return {
    ...{ dir, start, findings, pairs: data.converted, watch: plan.watch, job: null },
    files: plan.files.map(({ name }) => join(dir, name)),
    commands: Object.fromEntries(ways.map(([name, way]) => [name, typedCommand(way)])),
    refused: Object.fromEntries(refusals),
  };
}
