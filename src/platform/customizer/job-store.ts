import type { ListQuery } from "../http/list-query.ts";
import { type Collection, collection } from "../store/collection.ts";
import type { Database } from "../store/database.ts";
import type { StoredJob } from "./stored.ts";

/** All jobs, by their id. A running job's progress is in memory first; it is on disk within half a second. */
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

const WRITE_AFTER_MS = 500;
const UNFINISHED: ListQuery["where"] = [
  { field: ["status"], is: "equal", values: ["created", "pending", "running", "cancelling"] },
];

export function jobStore(database: Database): JobStore {
  const jobs = collection<StoredJob>(database, "customization_job");
  const count = database.prepare(
    "select json_extract(body, '$.status') as status, count(*) as n from entities where kind = 'customization_job' group by 1",
  );
  const noted = new Map<string, StoredJob>();
  let timer: NodeJS.Timeout | undefined;
  const keyOf = (id: string) => ({ namespace: "", name: id });
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    for (const job of noted.values()) jobs.put(keyOf(job.id), job);
    noted.clear();
  }
  return {
    insert: (job) => void jobs.insert(keyOf(job.id), job),
    get: (id) => noted.get(id) ?? jobs.get(keyOf(id)),
    put(job) {
      noted.delete(job.id);
      jobs.put(keyOf(job.id), job);
    },
    note(job) {
      noted.set(job.id, job);
      timer ??= setTimeout(flush, WRITE_AFTER_MS);
    },
    remove(id) {
      noted.delete(id);
      jobs.remove(keyOf(id));
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
