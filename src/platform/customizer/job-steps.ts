import { existsSync, readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { TrainingEvent } from "../../engine/train/training-job.ts";
import { messageOf, PairwrightError } from "../../lib/errors.ts";
import { readJsonl } from "../../lib/jsonl.ts";
import type { JobStatus } from "../../training/wire/customizer.ts";
import { withCurves, withLog, withRecord, withResult, withStatus } from "./job-progress.ts";
import type { QueueOptions } from "./job-queue.ts";
import type { PreparedDataset } from "./prepare-dataset.ts";
import { forgetWork, metricsOf, type RunJobOptions, runJob } from "./run-job.ts";
import type { StoredJob } from "./stored.ts";

/** Why a job is cut off, where it is not for the platform's own end. */
export const CANCELLED = "cancelled";

/** A job's way from state to state, each on disk before the next. */
export interface JobSteps {
  /** Undefined where the job is gone. */
  move(id: string, status: JobStatus, message: string, detail?: string): StoredJob | undefined;
  /** Runs a job to an end of some kind, which its status tells. */
  perform(id: string, signals: Pick<RunJobOptions, "drain" | "kill">): Promise<void>;
  /** A job that does not run has come to its end. */
  cancelled(id: string): void;
  /** Removes the work of jobs that are none of these: a platform that was killed may have left some. */
  forgetOthers(ids: readonly string[]): void;
}

export function jobSteps({ parts, train, workDir }: Omit<QueueOptions, "max_running">): JobSteps {
  const { store, context, entities } = parts;
  const at = () => context.times.naive();

  function move(id: string, status: JobStatus, message: string, detail?: string): StoredJob | undefined {
    const job = store.jobs.get(id);
    if (job === undefined) return undefined;
    const moved = withStatus(job, status, { at: at(), message, detail });
    store.jobs.put(moved);
    return moved;
  }

  /** What the training tells, as the job shows it. */
  function listener(first: StoredJob, began: number): RunJobOptions["on_event"] {
    return (event) => {
      const job = store.jobs.get(first.id);
      if (job === undefined) return;
      if (event.event === "record") {
        const { record, steps } = event;
        store.jobs.note(withElapsed(withRecord(job, { record, steps, at: at() }), first, began));
        return;
      }
      const line = lineOf(event);
      if (line !== undefined) store.jobs.note(withLog(job, { at: at(), ...line }));
    };
  }

  function finishModel({ _plan: { output } }: StoredJob, status: "upload_completed" | "upload_failed"): void {
    const { models } = entities;
    const entity = models.get({ namespace: output.namespace, name: `${output.name}@${output.revision}` });
    if (entity?.artifact === undefined) return;
    models.put(entity, { ...entity, updated_at: at(), artifact: { ...entity.artifact, status } });
  }

  function forget(id: string): void {
    void forgetWork(workDir(id)).catch((error: unknown) => context.log.warn(`job ${id}: ${messageOf(error)}`));
  }

  return {
    move,
    async perform(id, { drain, kill }) {
      const job = move(id, "running", "TrainingJobRunning");
      if (job === undefined) return;
      const work_dir = workDir(id);
      const began = performance.now();
      try {
        const result = await runJob(job, { parts, train, work_dir, drain, kill, on_event: listener(job, began) });
        const known = store.jobs.get(id) ?? job;
        const whole = await withCurves(known, recordsIn(metricsOf(work_dir)), at());
        const done = withElapsed(withResult(whole, result), job, began);
        finishModel(job, "upload_completed");
        store.jobs.put(withStatus(done, "completed", { at: at(), message: "TrainingJobCompleted" }));
      } catch (error) {
        if (kill.reason === CANCELLED) move(id, "cancelled", "cancelled");
        else if (drain.aborted) {
          move(id, "pending", "interrupted", "the platform was stopped; the job goes on when it is started again");
          return;
        } else move(id, "failed", "TrainingJobFailed", describe(error, work_dir));
        finishModel(job, "upload_failed");
      }
      await forgetWork(work_dir);
    },
    cancelled(id) {
      const job = move(id, "cancelled", "cancelled");
      if (job !== undefined) finishModel(job, "upload_failed");
      forget(id);
    },
    forgetOthers(ids) {
      const known = ids.map((id) => basename(workDir(id)));
      const parent = dirname(workDir("any"));
      const names = existsSync(parent) ? readdirSync(parent) : [];
      for (const name of names) if (!known.includes(name)) forget(name);
    },
  };
}

async function* recordsIn(path: string): AsyncGenerator<Record<string, number>> {
  for await (const { value } of readJsonl(path)) yield value as Record<string, number>;
}

/** Seconds of running, with those before a restart. */
function withElapsed(job: StoredJob, first: StoredJob, began: number): StoredJob {
  const elapsed_time = first.status_details.elapsed_time + (performance.now() - began) / 1000;
  return { ...job, status_details: { ...job.status_details, elapsed_time } };
}

type Told = Exclude<TrainingEvent, { event: "record" }> | { event: "prepared"; dataset: PreparedDataset };

function lineOf(event: Told): { message: string; detail: string } | undefined {
  if (event.event === "prepared") {
    const { training_rows, validation_rows, split } = event.dataset;
    const from = split ? " (taken from the training files)" : "";
    return {
      message: "DatasetChecked",
      detail: `${training_rows} rows to train on, ${validation_rows} for validation${from}`,
    };
  }
  if (event.event === "warning") {
    // Without this machine's paths, and with the names that a client knows instead of flags.
    const detail = event.message.replace(/^.*[/\\](?=\w+_file\.jsonl:)/, "").replace(/--(?=[a-z])/g, "");
    return { message: "Warning", detail };
  }
  if (event.stage === "estimate") return { message: "TrainingEstimate", detail: event.detail };
  return undefined;
}

/** What a client can do something with: not the paths of this machine, and no flags of the command line. */
function describe(error: unknown, work_dir: string): string {
  if (!PairwrightError.is(error)) return messageOf(error);
  const { message, what, where, fix, code } = error;
  const said = where?.startsWith(work_dir) ? what : message;
  return `${said}${fix === undefined || fix.includes("--") ? "" : `; ${fix}`} (${code})`;
}
