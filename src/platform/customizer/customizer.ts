import { join } from "node:path";
import { Hono } from "hono";
import { trainInProcess } from "../../engine/train/training-process.ts";
import type { BaseModel } from "../base-models.ts";
import { configRoutes } from "./config-routes.ts";
import type { JobParts } from "./create-job.ts";
import { customizerStore } from "./customizer-store.ts";
import { targetFetcher } from "./fetch-target.ts";
import { jobMetrics } from "./job-metrics.ts";
import { jobQueue } from "./job-queue.ts";
import { jobRoutes } from "./job-routes.ts";
import { seedModels } from "./seed-models.ts";
import { targetRoutes } from "./target-routes.ts";

export interface CustomizerOptions {
  /** The folders that may be trained from. */
  models: readonly BaseModel[];
  /** Jobs that train at the same time; each uses the machine's cores. Default 1. */
  max_running_jobs?: number | undefined;
}

/** Targets, configs, and the jobs that train. */
export interface Customizer {
  /** Under `/v1/customization`. */
  routes: Hono;
  /** Goes on with what an earlier start left. */
  begin(): void;
  /** Running jobs leave a checkpoint and go on at the next start. */
  stop(limit_ms: number): Promise<void>;
}

export function openCustomizer(
  parts: Omit<JobParts, "store">,
  { models, max_running_jobs = 1 }: CustomizerOptions,
): Customizer {
  const { context } = parts;
  const store = customizerStore(context);
  const all: JobParts = { ...parts, store };
  seedModels(models, all);
  const workDir = (id: string) => join(context.dir, "jobs", id);
  const queue = jobQueue({ parts: all, train: trainInProcess, max_running: max_running_jobs, workDir });
  const fetcher = targetFetcher(all);
  jobMetrics(context.metrics, store.jobs, queue);
  const routes = new Hono();
  routes.route("/configs", configRoutes(all));
  routes.route("/targets", targetRoutes(all, fetcher));
  routes.route("/jobs", jobRoutes(all, queue));
  return {
    routes,
    begin() {
      fetcher.begin();
      queue.begin();
    },
    async stop(limit_ms) {
      await queue.stop(limit_ms);
      await fetcher.stop();
    },
  };
}
