import type { OnRolloutProgress, RolloutProgress } from "../pipeline/rollouts/rollout-progress.ts";
import type { Terminal } from "./terminal.ts";

const LIVE_MS = 100;
const PLAIN_MS = 5_000;

/** Says how far rollouts have come: one live line on a terminal, else a line every few seconds. */
export function rolloutsProgress(terminal: Terminal, now: () => number): { show: OnRolloutProgress; end(): void } {
  let shown = now();
  let began = shown;
  let stage: RolloutProgress["stage"] | undefined;
  return {
    show(progress) {
      const at = now();
      if (progress.stage !== stage) [stage, began] = [progress.stage, at];
      if (at - shown < (terminal.live ? LIVE_MS : PLAIN_MS)) return;
      shown = at;
      const line = describeRolloutProgress(progress, (at - began) / 1000);
      if (terminal.live) terminal.status(line);
      else terminal.info(line);
    },
    end: () => terminal.status(undefined),
  };
}

/** `reading: 312 of 735 MB · 67,840 rows · 9 s left`, then `writing: 12,288 of 38,897 pairs · 3 s left` */
export function describeRolloutProgress(progress: RolloutProgress, seconds: number): string {
  const { stage, bytes, total_bytes, rows, pairs, total_pairs } = progress;
  if (stage === "write") {
    return joined(`writing: ${grouped(pairs)} of ${grouped(total_pairs)} pairs`, left(pairs, total_pairs, seconds));
  }
  const of = total_bytes === undefined ? "" : ` of ${megabytes(total_bytes)}`;
  const read = `${stage === "read" ? "reading" : "unpacking"}: ${megabytes(bytes)}${of} MB`;
  return joined(read, stage === "read" ? `${grouped(rows)} rows` : undefined, left(bytes, total_bytes, seconds));
}

function left(done: number, total: number | undefined, seconds: number): string | undefined {
  if (total === undefined || done === 0 || seconds <= 0) return undefined;
  return `${Math.ceil((seconds / done) * Math.max(0, total - done))} s left`;
}

function joined(...parts: (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join(" · ");
}

function megabytes(bytes: number): string {
  return grouped(Math.round(bytes / 1e6));
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
