import type { JobRecord } from "../records/job.ts";
import type { JobStatus } from "../registry/training-backend.ts";

/** What `--json` tells of a job, by the names of `job.json`. */
export function jobFacts(job: JobRecord | (JobStatus & { run_id?: string })) {
  const { id, status, backend_status, progress, model, message, details } = job;
  const run_id = "run_id" in job && job.run_id !== undefined ? { run_id: job.run_id } : {};
  return { id, ...run_id, status, backend_status, progress, model, message, status_details: details };
}
