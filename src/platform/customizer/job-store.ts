import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { StatusDetails } from "../../training/wire/customizer.ts";
import type { ListQuery } from "../http/list-query.ts";
import { type Collection, collection } from "../store/collection.ts";
import type { Database } from "../store/database.ts";
import { NO_CURVES } from "./job-progress.ts";
import type { StoredJob } from "./stored.ts";

/**
 * All jobs, by their id. A running job's progress is in memory first; it is on disk within half a second. Curves lie apart,
 * so that lists, which do not show them, need not read them.
 */
export interface JobStore {
  insert(job: StoredJob): void;
  get(id: string): StoredJob | undefined;
  /** Replaces a job, on disk. */
  put(job: StoredJob): void;
  /** Replaces a job, soon on disk: for what may be lost with the process. */
  note(job: StoredJob): void;
  remove(id: string): void;
  /** For lists: what was noted is written first. */
  listed(): Collection<StoredJob>;
  /** Jobs that have not come to their end, in the order they were made. */
  unfinished(): StoredJob[];
  /** How many there are of each status. */
  counts(): Map<string, number>;
  /** Writes what was noted. */
  flush(): void;
}

type Curves = StatusDetails["metrics"];

/** What a job has come to that is over. */
export const FINISHED: readonly string[] = ["completed", "failed", "cancelled"];

const WRITE_AFTER_MS = 500;
const UNFINISHED: ListQuery["where"] = [
  { field: ["status"], is: "equal", values: ["created", "pending", "running", "cancelling"] },
];

export function jobStore(database: Database, log: Logger): JobStore {
  const jobs = collection<StoredJob>(database, "customization_job");
  const curves = collection<Curves>(database, "customization_curves");
  const count = database.prepare(
    "select json_extract(body, '$.status') as status, count(*) as n from entities where kind = 'customization_job' group by 1",
  );
  const noted = new Map<string, StoredJob>();
  let timer: NodeJS.Timeout | undefined;
  /** The curves of a job as they stand on disk, while it runs: most writes change nothing about them. */
  const written = new Map<string, Curves>();
  const keyOf = (id: string) => ({ namespace: "", name: id });
  function write(job: StoredJob): void {
    const { id, status_details: details } = job;
    const key = keyOf(id);
    if (!jobs.put(key, { ...job, status_details: { ...details, metrics: NO_CURVES } })) return;
    if (details.metrics !== written.get(id)) {
      if (!curves.put(key, details.metrics)) curves.insert(key, details.metrics);
      written.set(id, details.metrics);
    }
    if (FINISHED.includes(job.status)) written.delete(id);
  }
  function read(id: string): StoredJob | undefined {
    const job = jobs.get(keyOf(id));
    if (job === undefined) return undefined;
    const metrics = curves.get(keyOf(id)) ?? NO_CURVES;
    return { ...job, status_details: { ...job.status_details, metrics } };
  }
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    for (const job of noted.values()) write(job);
    noted.clear();
  }
  /** A disk that is full for a while costs no more than that progress is not on it for a while. */
  function flushLater(): void {
    timer ??= setTimeout(() => {
      try {
        flush();
      } catch (error) {
        log.warn(`the progress of jobs cannot be written: ${messageOf(error)}`);
        flushLater();
      }
    }, WRITE_AFTER_MS).unref();
  }
  return {
    insert: (job) => void jobs.insert(keyOf(job.id), job),
    get: (id) => noted.get(id) ?? read(id),
    put(job) {
      noted.delete(job.id);
      write(job);
    },
    note(job) {
      noted.set(job.id, job);
      flushLater();
    },
    remove(id) {
      noted.delete(id);
      jobs.remove(keyOf(id));
      curves.remove(keyOf(id));
    },
    listed() {
      flush();
      return jobs;
    },
    unfinished() {
      flush();
      return jobs.list({ where: UNFINISHED, sort: "created_at", page: 1, page_size: 1_000_000 }).data;
    },
    counts: () => new Map((count.all() as { status: string; n: number }[]).map(({ status, n }) => [status, n])),
    flush,
  };
}
