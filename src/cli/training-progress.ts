import type { Terminal } from "./terminal.ts";

const LIVE_MS = 100;
const PLAIN_MS = 5_000;

/** What a training job tells; the engine has the same shape. */
type Told =
  | { event: "stage"; stage: string; detail: string }
  | { event: "warning"; message: string }
  | { event: "record"; record: Record<string, number>; steps: number };

/** Says how far a training job has come: one live line on a terminal, else a line every few seconds. */
export function trainingProgress(terminal: Terminal, now: () => number) {
  let shown = now();
  let began: number | undefined;
  let first_step = 0;
  return {
    show(told: Told): void {
      if (told.event === "warning") terminal.warn(told.message);
      else if (told.event === "stage") terminal.info([told.stage, told.detail].filter(Boolean).join(": "));
      else showRecord(told.record, told.steps);
    },
    end: () => terminal.status(undefined),
  };

  function showRecord(record: Record<string, number>, steps: number): void {
    const { step = 0, eval_loss } = record;
    if (eval_loss !== undefined) {
      terminal.info(`step ${step}: validation loss ${eval_loss.toFixed(4)}`);
      return;
    }
    const at = now();
    if (began === undefined) [began, first_step] = [at, step];
    if (at - shown < (terminal.live ? LIVE_MS : PLAIN_MS)) return;
    shown = at;
    const seconds_left = ((at - began) / Math.max(1, step - first_step)) * ((steps - step) / 1000);
    const line = describeStep(record, steps, seconds_left);
    if (terminal.live) terminal.status(line);
    else terminal.info(line);
  }
}

/** `step 37/200 · loss 0.6123 · accuracy 0.75 · margin 0.21 · logps/chosen -12.3 · 14,302 tokens/s · 12 s left` */
export function describeStep(record: Record<string, number>, steps: number, seconds_left: number): string {
  const shown = (label: string, name: string, digits: number) => {
    const value = record[name];
    return value === undefined ? undefined : `${label} ${value.toFixed(digits)}`;
  };
  return [
    `step ${record.step}/${steps}`,
    shown("loss", "loss", 4),
    shown("accuracy", "rewards/accuracies", 2),
    shown("margin", "rewards/margins", 3),
    shown("logps/chosen", "logps/chosen", 2),
    `${Math.round(record.tokens_per_second ?? 0).toLocaleString("en-US")} tokens/s`,
    `${Math.ceil(seconds_left)} s left`,
  ]
    .filter((part) => part !== undefined)
    .join(" · ");
}
