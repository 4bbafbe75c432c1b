import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { messageOf, usageError } from "../../lib/errors.ts";
import { exists, writeFileWhole } from "../../lib/files.ts";
import type { Logger } from "../../lib/log.ts";
import { JobRecord } from "../../records/job.ts";
import type { JobSteps, Json } from "../../registry/training-backend.ts";

const JOB_FILE = "job.json";

/** `job.json` of a run folder, which this process alone writes. */
export interface JobFile {
  readonly record: JobRecord;
  update(changes: Partial<JobRecord>): Promise<void>;
  /** The steps of the job that is recorded now. */
  steps(signal: AbortSignal, log: Logger): JobSteps;
}

export interface JobFileOptions {
  clock: Pick<Clock, "now">;
  /** Takes known secrets out of what is written. */
  scrub(text: string): string;
}

/** What a new job is recorded with. */
export type NewJob = Pick<JobRecord, "run_id" | "tag" | "trainer_adapter" | "type" | "place">;

/** Records that a job is to be made, before anything of it is. `earlier` are attempts with the same data. */
export async function createJobFile(
  dir: string,
  job: NewJob,
  earlier: JobRecord["earlier"],
  options: JobFileOptions,
): Promise<JobFile> {
  const now = new Date(options.clock.now()).toISOString();
  const file = jobFile(dir, { ...job, ...NOTHING_YET, earlier, created_at: now, updated_at: now }, options);
  await file.update({});
  return file;
}

const NOTHING_YET = {
  id: null,
  status: "submitting" as const,
  backend_status: null,
  progress: null,
  model: null,
  message: null,
  chosen_reward: null,
  details: null,
  deployment: null,
  steps: {},
};

/** The job that a folder holds; undefined when it holds none. */
export async function openJobFile(dir: string, options: JobFileOptions): Promise<JobFile | undefined> {
  const record = await readJobRecord(dir);
  return record && jobFile(dir, record, options);
}

/** Reads `job.json` of a folder. One that does not parse is an error: a second job could come of it. */
export async function readJobRecord(dir: string): Promise<JobRecord | undefined> {
  const path = join(dir, JOB_FILE);
  if (!(await exists(path))) return undefined;
  try {
    return JobRecord.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw usageError({
      code: "bad_job_file",
      where: path,
      what: `this record of a training job cannot be read: ${messageOf(cause, 200)}`,
      fix: "restore it, or start a new run without --resume",
      cause,
    });
  }
}

function jobFile(dir: string, first: JobRecord, { clock, scrub }: JobFileOptions): JobFile {
  let record = first;
  const now = () => new Date(clock.now()).toISOString();

  async function update(changes: Partial<JobRecord>): Promise<void> {
    // A backend may repeat a key that it was sent: what is kept here goes into other files and messages, too.
    record = JobRecord.parse(JSON.parse(scrub(JSON.stringify({ ...record, ...changes, updated_at: now() }))));
    await writeFileWhole(join(dir, JOB_FILE), `${JSON.stringify(record, null, 2)}\n`);
  }

  async function step<T extends Json>(name: string, intent: Json, work: (again: boolean) => Promise<T>): Promise<T> {
    const before = record.steps[name];
    const isSame = before !== undefined && JSON.stringify(before.intent) === JSON.stringify(intent);
    if (isSame && before.done_at !== undefined) return (before.outcome ?? null) as T;
    const begun = { intent, begun_at: now() } as JobRecord["steps"][string];
    await update({ steps: { ...record.steps, [name]: begun } });
    const outcome = await work(before !== undefined);
    const done = { ...begun, done_at: now(), outcome } as JobRecord["steps"][string];
    await update({ steps: { ...record.steps, [name]: done } });
    return outcome;
  }

  return {
    get record() {
      return record;
    },
    update,
    steps: (signal, log) => ({ tag: record.tag, signal, log, step }),
  };
}
