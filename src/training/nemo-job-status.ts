import { z } from "zod";
import type { JobState, JobStatus, Json } from "../registry/training-backend.ts";
import type { CustomizerClient, KnownJob, KnownStatus } from "./clients/customizer.ts";

/** The Customizer's words. One that is not here is not guessed at. */
const STATES: Record<string, JobState> = {
  created: "pending",
  pending: "pending",
  running: "running",
  cancelling: "running",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled",
  canceled: "cancelled",
};

const SILENT: readonly JobState[] = ["completed", "cancelled"];

/** A job's status, with its model once it has ended: only the job itself names that. */
export async function readStatus(customizer: CustomizerClient, id: string, signal: AbortSignal): Promise<JobStatus> {
  const status = await customizer.status(id, signal);
  if (STATES[status.status.toLowerCase()] !== "completed") return readJob({ id }, status);
  return readJob(await customizer.job(id, signal), status);
}

/** `status` is newer than what the job itself says, and stands for it when absent. */
export function readJob(job: KnownJob, status: KnownStatus | undefined): JobStatus {
  const details = status ?? job.status_details ?? null;
  const backend_status = status?.status ?? job.status ?? "unknown";
  const state = STATES[backend_status.toLowerCase()] ?? "unknown";
  const percentage = (details as Partial<KnownStatus> | null)?.percentage_done;
  return {
    id: job.id,
    status: state,
    backend_status,
    progress: typeof percentage === "number" && Number.isFinite(percentage) ? percentage : null,
    model: job.output_model || null,
    // Of a job that was not at fault, the last detail says nothing of how it ended.
    message: SILENT.includes(state) ? null : lastDetail(details as Partial<KnownStatus> | null),
    chosen_reward: state !== "completed" ? null : chosenReward(details as Partial<KnownStatus> | null),
    details: details as Json,
  };
}

/** Steps at the end that are looked at. */
const LAST = 20;
const Curves = z.object({
  metrics: z.object({ train_chosen_reward: z.array(z.object({ value: z.number() })).min(1) }),
});

/** The mean of the last steps, where the service tells them: the embedded platform does. */
function chosenReward(details: Partial<KnownStatus> | null): number | null {
  const curves = Curves.safeParse(details?.metrics);
  if (!curves.success) return null;
  const last = curves.data.metrics.train_chosen_reward.slice(-LAST);
  return last.reduce((sum, { value }) => sum + value, 0) / last.length;
}

/** The newest entry of the status log that says more than a word. */
function lastDetail(details: Partial<KnownStatus> | null): string | null {
  for (const { detail } of [...(details?.status_logs ?? [])].reverse()) {
    if (typeof detail === "string" && detail.trim() !== "") return detail.trim();
    if (typeof detail === "object" && detail !== null) return JSON.stringify(detail);
  }
  return null;
}

/** Container logs as text: what each process said, and its events. */
export function readLogs(body: unknown): string {
  if (typeof body !== "object" || body === null) return "";
  const { entries, error } = body as { entries?: Record<string, unknown>; error?: unknown };
  const lines: string[] = [];
  for (const [name, entry] of Object.entries(entries ?? {})) {
    const { logs, events } = (entry ?? {}) as { logs?: unknown; events?: unknown[] };
    lines.push(`== ${name}`);
    if (typeof logs === "object" && logs !== null) lines.push(...Object.values(logs).map(textOf));
    else if (logs !== undefined && logs !== null) lines.push(textOf(logs));
    for (const event of events ?? []) {
      const { last_seen, reason, message } = (event ?? {}) as Record<string, unknown>;
      lines.push([last_seen, reason, message].filter(Boolean).join("  "));
    }
  }
  if (error !== undefined && error !== null) lines.push(`error: ${textOf(error)}`);
  return lines.join("\n");
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
