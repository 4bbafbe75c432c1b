import { exists } from "../../../lib/files.ts";
import { readLines } from "../../../lib/jsonl.ts";
import { isObject } from "../../../records/messages-of.ts";
import type { MetricRecord } from "../metric-record.ts";

/**
 * What `train_dpo.py` logged, in order. `total_steps` is what the trainer said that it would make. A line that is being
 * written is passed over; a file that is not there yet holds none.
 */
export async function* trlMetrics(path: string, signal?: AbortSignal): AsyncGenerator<MetricRecord> {
  if (!(await exists(path))) return;
  for await (const { text, complete } of readLines(path, signal)) {
    if (!complete) return;
    const line = parsed(text);
    if (line === undefined) continue;
    const { step, time, event: _, ...logged } = line;
    if (typeof step !== "number" || typeof time !== "number") continue;
    const values: Record<string, number> = {};
    for (const [name, value] of Object.entries(logged)) values[name] = numberOf(value);
    yield { step, at_s: time, values };
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    // A program that was killed may have left half a line before those of the next.
    return undefined;
  }
}

/** The script writes what JSON cannot say as Python does: nan, inf, -inf. */
function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  if (value === "inf") return Number.POSITIVE_INFINITY;
  return value === "-inf" ? Number.NEGATIVE_INFINITY : Number.NaN;
}
