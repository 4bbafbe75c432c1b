import type { Progress } from "../pipeline/play-examples.ts";
import type { Terminal } from "./terminal.ts";

const LIVE_MS = 100;
const PLAIN_MS = 5_000;

/** Says how far a run has come: one live line on a terminal, else a line every few seconds. */
export function progressLine(
  terminal: Terminal,
  now: () => number,
): { total(n: number): void; show(progress: Progress): void; end(): void } {
  let started = now();
  let shown = started;
  let total = 0;
  return {
    // A command may run over several data sets, one after another.
    total(n) {
      total = n;
      started = now();
    },
    show(progress) {
      const at = now();
      if (at - shown < (terminal.live ? LIVE_MS : PLAIN_MS)) return;
      shown = at;
      const line = describeProgress(progress, total, (at - started) / 1000);
      if (terminal.live) terminal.status(line);
      else terminal.info(line);
    },
    end: () => terminal.status(undefined),
  };
}

/** `37/200 examples · 1 failed · 12.3/s · 14 s left · 31,402 tokens · $0.12` */
export function describeProgress({ completed, failed, usage }: Progress, total: number, seconds: number): string {
  const ended = completed + failed;
  const rate = seconds > 0 ? ended / seconds : 0;
  const left = rate > 0 ? Math.ceil((total - ended) / rate) : undefined;
  return [
    `${ended}/${total} examples`,
    failed > 0 ? `${failed} failed` : undefined,
    `${rate.toFixed(1)}/s`,
    left === undefined ? undefined : `${left} s left`,
    `${usage.total_tokens.toLocaleString("en-US")} tokens`,
    usage.cost === undefined ? undefined : `$${usage.cost.toFixed(2)}`,
  ]
    .filter((part) => part !== undefined)
    .join(" · ");
}
