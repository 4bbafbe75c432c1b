import type { JobLogs } from "../../training/wire/customizer.ts";
import type { StoredJob } from "./stored.ts";

/** What a job's process said, as the events of the container that there would be. */
export function jobLogs({ status, status_details }: StoredJob): JobLogs {
  const { status_logs, steps_completed, percentage_done } = status_details;
  const failed = status === "failed" ? status_logs.findLast(({ detail }) => detail) : undefined;
  const events = status_logs.map(({ updated_at, message, detail }) => ({
    type: message === "Warning" || message === "TrainingJobFailed" ? "Warning" : "Normal",
    reason: message,
    message: detail ?? message,
    count: 1,
    first_seen: updated_at,
    last_seen: updated_at,
  }));
  return {
    entries: { training: { status: { status, steps_completed, percentage_done }, events } },
    ...(failed && {
      error: {
        exception_type: /\((\w+)\)$/.exec(failed.detail ?? "")?.[1] ?? "error",
        message: failed.detail ?? "",
        explanation: failed.detail ?? "",
        timestamp: failed.updated_at,
      },
    }),
  };
}
