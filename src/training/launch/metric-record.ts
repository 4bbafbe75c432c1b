/** What a trainer logged at one moment, by the names of our own engine's metrics, which are TRL's. */
export interface MetricRecord {
  step: number;
  /** Unix time in seconds. */
  at_s: number;
  /** May be NaN or infinite, as a training that went wrong logs them. */
  values: Readonly<Record<string, number>>;
}
