import { join } from "node:path";
import { usageError } from "../lib/errors.ts";
import { takeLock } from "../lib/lock.ts";
import type { JobRecord } from "../records/job.ts";
import type { JobStatus } from "../registry/training-backend.ts";
import { findJob, jobsIn } from "./finetune/find-job.ts";
import { type FinetuneResult, goOn, type TrainingOptions } from "./finetune/run-job.ts";
import { waitForJob } from "./finetune/wait-for-job.ts";
import { openRunFolder, readManifest } from "./run-folder.ts";

/** A job, with the run of this output folder that made it. */
export type FoundJob = JobStatus & { run_id?: string };

/** Which jobs, and how to speak with their backend. */
export type JobsOptions = TrainingOptions & { output_dir: string };

/** The backend's jobs, with the runs here that made them. */
export async function listJobs({ training, output_dir, stop }: JobsOptions): Promise<FoundJob[]> {
  const local = await jobsIn(output_dir);
  const jobs = await training.backend.list(stop);
  return jobs.map((job) => ({ ...job, ...runOf(local.find(({ id }) => id === job.id)) }));
}

/** How a job stands now, by its id or its run's. */
export async function showJob(id: string, options: JobsOptions): Promise<FoundJob> {
  const local = await findJob(options.output_dir, id);
  return { ...(await options.training.backend.status(idOf(id, local), options.stop)), ...runOf(local) };
}

/** Asks for a job's end. */
export async function cancelJob(id: string, options: JobsOptions): Promise<FoundJob> {
  const local = await findJob(options.output_dir, id);
  return { ...(await options.training.backend.cancel(idOf(id, local), options.stop)), ...runOf(local) };
}

export async function jobLogs(id: string, { training, output_dir, stop }: JobsOptions): Promise<string> {
  return training.backend.logs(idOf(id, await findJob(output_dir, id)), stop);
}

/**
 * Waits for a job. One that a run of this output folder made is brought to the end that its `finetune` would have come to,
 * with deployment and files; of any other one only the status comes back.
 */
export async function waitForAnyJob(
  id: string,
  options: JobsOptions,
): Promise<{ run: FinetuneResult } | { job: FoundJob }> {
  const { output_dir, training, clock, drain, stop, log } = options;
  const local = await findJob(output_dir, id);
  if (local === undefined) {
    const signal = AbortSignal.any([drain, stop]);
    return { job: await waitForJob(training.backend, id, async () => undefined, { clock, signal, log }) };
  }
  const dir = join(output_dir, local.run_id);
  const manifest = await readManifest(dir);
  if (manifest === undefined) {
    throw usageError({ code: "no_such_run", where: dir, what: "this run has no manifest.json", fix: "restore it" });
  }
  const lock = await takeLock(join(output_dir, "finetune.lock"));
  try {
    return { run: await goOn(await openRunFolder(output_dir, manifest), options) };
  } finally {
    await lock.release();
  }
}

function runOf(local: JobRecord | undefined): { run_id?: string } {
  return local === undefined ? {} : { run_id: local.run_id };
}

function idOf(id: string, local: JobRecord | undefined): string {
  if (local === undefined) return id;
  if (local.id !== null) return local.id;
  throw usageError({
    code: "not_submitted",
    where: `run ${local.run_id}`,
    what: "its job was not submitted yet",
    fix: "go on with `pairwright finetune CONFIG --resume`",
  });
}
