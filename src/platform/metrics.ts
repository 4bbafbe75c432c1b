import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** What Prometheus may ask for; the parts count in it. */
export interface PlatformMetrics {
  registry: Registry;
  requests: Counter<"method" | "route" | "status">;
  seconds: Histogram<"method" | "route">;
  tokens: Counter<"model" | "kind">;
}

/** A registry of its own, so that two platforms in one process do not count together. */
export function platformMetrics(): PlatformMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: "pairwright_http_requests_total",
      help: "Requests answered, by route and status.",
      labelNames: ["method", "route", "status"],
      registers,
    }),
    seconds: new Histogram({
      name: "pairwright_http_request_seconds",
      help: "From a request's first byte to its answer's head.",
      labelNames: ["method", "route"],
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
      registers,
    }),
    tokens: new Counter({
      name: "pairwright_tokens_total",
      help: "Tokens read and generated, by model and kind (prompt, completion).",
      labelNames: ["model", "kind"],
      registers,
    }),
  };
}

/** A figure that is looked up when it is asked for. */
export function gauge(
  { registry }: PlatformMetrics,
  { name, help, value }: { name: string; help: string; value: () => number },
): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}
