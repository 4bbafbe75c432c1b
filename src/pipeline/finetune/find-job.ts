import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../lib/errors.ts";
import type { JobRecord } from "../../records/job.ts";
import { readJobRecord } from "./job-file.ts";

/** The jobs that runs of this output folder made, the newest first. */
export async function jobsIn(output_dir: string): Promise<JobRecord[]> {
  const entries = await readdir(output_dir, { withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(output_dir, name));
  const jobs = (await Promise.all(folders.map(readJobRecord))).filter((job) => job !== undefined);
  return jobs.sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
}

/** The job with this id of the backend, of this run, or with this tag; undefined when no run here made it. */
export async function findJob(output_dir: string, id: string): Promise<JobRecord | undefined> {
  return (await jobsIn(output_dir)).find((job) => job.id === id || job.run_id === id || job.tag === id);
}
