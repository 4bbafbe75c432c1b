import { Gauge } from "prom-client";
import { gauge, type PlatformMetrics } from "../metrics.ts";
import type { JobQueue } from "./job-queue.ts";
import type { JobStore } from "./job-store.ts";

const STATUSES = ["created", "pending", "running", "cancelling", "completed", "failed", "cancelled"] as const;

/** Jobs by status, and how many wait: looked up when they are asked for. */
export function jobMetrics(metrics: PlatformMetrics, jobs: JobStore, queue: JobQueue): void {
  new Gauge({
    name: "pairwright_training_jobs",
    help: "Training jobs by status.",
    labelNames: ["status"],
    registers: [metrics.registry],
    collect() {
      const counts = jobs.counts();
      for (const status of STATUSES) this.set({ status }, counts.get(status) ?? 0);
    },
  });
  gauge(metrics, {
    name: "pairwright_training_queue_length",
    help: "Training jobs that wait for their turn.",
    value: () => queue.waiting(),
  });
}
