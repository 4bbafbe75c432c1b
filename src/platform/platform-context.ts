import type { Logger } from "../lib/log.ts";
import type { PlatformMetrics } from "./metrics.ts";
import type { Database } from "./store/database.ts";
import type { Timestamps } from "./store/timestamps.ts";

/** What every part of the platform works with. */
export interface PlatformContext {
  database: Database;
  /** The data folder: the database, and folders beside it. */
  dir: string;
  /** `http://127.0.0.1:8711`: where clients find this platform. Known once it listens. */
  origin(): string;
  times: Timestamps;
  /** A new `<prefix>-...`. */
  newId(prefix: string): string;
  log: Logger;
  metrics: PlatformMetrics;
}
