import { type ErrorFacts, EXIT, PairwrightError } from "../../lib/errors.ts";
import { startChild } from "../runtime/start-child.ts";
import type { TrainingEvent, TrainingJob, TrainingResult } from "./training-job.ts";

/** What the child sends. */
export type FromChild =
  | { kind: "event"; event: TrainingEvent }
  | { kind: "result"; result: TrainingResult }
  | { kind: "fault"; facts: ErrorFacts }
  | { kind: "crash"; message: string; stack: string | undefined };

/** What the child is sent: the job once, then perhaps that it should stop at the next step. */
export type ToChild = { kind: "start"; job: TrainingJob } | { kind: "stop" };

export interface ProcessOptions {
  /** Asks for a stop after the step that runs. */
  signal: AbortSignal;
  /** Stops at once: the newest checkpoint is what is left. */
  kill?: AbortSignal | undefined;
  on_event: (event: TrainingEvent) => void;
}

/**
 * Runs a job in a process of its own: steps block the thread that they run on, memory goes back when it ends, and a crash
 * of the native library is an error here. Aborting lets the step that runs end, and leaves a checkpoint.
 */
export function trainInProcess(job: TrainingJob, { signal, kill, on_event }: ProcessOptions): Promise<TrainingResult> {
  const child = startChild("training-child", import.meta.url);
  const stop = () => child.connected && child.send({ kind: "stop" } satisfies ToChild);
  const end = () => void child.kill("SIGKILL");
  signal.addEventListener("abort", stop, { once: true });
  kill?.addEventListener("abort", end, { once: true });
  process.once("exit", end);
  return new Promise<TrainingResult>((resolve, reject) => {
    let settled = false;
    child.on("error", reject);
    child.on("message", (message: FromChild) => {
      if (message.kind === "event") {
        on_event(message.event);
        return;
      }
      settled = true;
      if (message.kind === "result") resolve(message.result);
      else if (message.kind === "fault") reject(new PairwrightError(message.facts));
      else reject(Object.assign(new Error(message.message), { stack: message.stack }));
    });
    child.on("exit", (code, killed_by) => {
      if (!settled) reject(kill?.aborted ? stoppedAtOnce(job) : died(job, code, killed_by));
    });
    child.send({ kind: "start", job } satisfies ToChild);
    if (signal.aborted) stop();
  }).finally(() => {
    signal.removeEventListener("abort", stop);
    kill?.removeEventListener("abort", end);
    process.off("exit", end);
  });
}

function stoppedAtOnce({ output }: TrainingJob): PairwrightError {
  return new PairwrightError({
    code: "training_cancelled",
    where: output,
    what: "stopped in the middle of a step",
    fix: "give the same command with --resume to go on from the newest checkpoint",
    exit_code: EXIT.interrupted,
  });
}

/** The child is gone and has not said why. SIGKILL from elsewhere is what a machine out of memory does. */
function died(job: TrainingJob, code: number | null, killed_by: NodeJS.Signals | null): PairwrightError {
  const how = killed_by === null ? `ended with code ${code}` : `was killed by ${killed_by}`;
  return new PairwrightError({
    code: "training_died",
    where: job.output,
    what: `the training process ${how}${killed_by === "SIGKILL" ? ", as a machine that runs out of memory does" : ""}`,
    fix:
      killed_by === "SIGKILL"
        ? "go on with --resume and less at a time (--recompute true, fewer --max_tokens_per_micro_batch), or begin a smaller job (LoRA, shorter rows)"
        : "give the same command with --resume to go on from the newest checkpoint",
    exit_code: EXIT.training_failed,
  });
}
