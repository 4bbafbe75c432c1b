import { Gauge } from "prom-client";
import type { PlatformMetrics } from "../metrics.ts";
import { gauge } from "../metrics.ts";
import type { ModelFigures, ModelPool } from "./model-pool.ts";

/** What Prometheus may ask about models. */
export function countModels(metrics: PlatformMetrics, pool: ModelPool): void {
  gauge(metrics, {
    name: "pairwright_models_loaded",
    help: "Models in memory.",
    value: () => pool.figures().filter(({ bytes }) => bytes > 0).length,
  });
  perModel(metrics, pool, "pairwright_model_bytes", "Memory of a loaded model.", ({ bytes }) => bytes);
  perModel(
    metrics,
    pool,
    "pairwright_model_running",
    "Candidates that a model works on, those of its adapters among them.",
    ({ running }) => running,
  );
  perModel(
    metrics,
    pool,
    "pairwright_model_waiting",
    "Candidates that wait for a place in a model's batch.",
    ({ waiting }) => waiting,
  );
}

function perModel(
  { registry }: PlatformMetrics,
  pool: ModelPool,
  name: string,
  help: string,
  value: (figures: ModelFigures) => number,
): void {
  new Gauge({
    name,
    help,
    labelNames: ["model"],
    registers: [registry],
    collect() {
      this.reset();
      for (const figures of pool.figures()) this.set({ model: figures.label }, value(figures));
    },
  });
}
