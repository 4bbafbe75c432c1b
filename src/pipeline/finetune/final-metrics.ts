import { writeFileWhole } from "../../lib/files.ts";
import type { JobRecord } from "../../records/job.ts";
import type { RunFolder } from "../run-folder.ts";
import { readHistory } from "./collection-history.ts";

const FILE = "final_metrics.json";

/** Writes the seeds' `final_metrics.json`: how the training ended, and what it was made from. */
export async function writeFinalMetrics(folder: RunFolder, job: JobRecord): Promise<void> {
  const history = await readHistory(folder);
  const sum = (of: "num_trajectories" | "num_dpo_pairs") => history.reduce((total, entry) => total + entry[of], 0);
  const { counts, scores } = folder.manifest;
  const metrics = {
    run_id: job.run_id,
    status: job.status,
    message: job.message,
    progress: job.progress,
    model: job.model,
    num_collection_runs: history.length,
    total_trajectory_groups: sum("num_trajectories"),
    collection_summary: { total_dpo_pairs: sum("num_dpo_pairs"), ...counts, ...(scores && { scores }) },
    job_metadata: { id: job.id, place: job.place, tag: job.tag, details: job.details },
    deployment: job.deployment,
  };
  await writeFileWhole(folder.path(FILE), `${JSON.stringify(metrics, null, 2)}\n`);
  await folder.publish(FILE);
}
