import { messageOf } from "../../lib/errors.ts";
import type { JobParts } from "./create-job.ts";
import { CANCELLED, jobSteps } from "./job-steps.ts";
import type { Train } from "./run-job.ts";

/** Runs jobs one after the other, or a few at a time. */
export interface JobQueue {
  /** Goes on with every job that has not come to its end. */
  begin(): void;
  add(id: string): void;
  /** A job that waits is cancelled when this returns; one that runs soon after. */
  cancel(id: string): void;
  /** How many wait. */
  waiting(): number;
  /** Running jobs make their step and leave a checkpoint; those that need longer than the limit are cut off. */
  stop(limit_ms: number): Promise<void>;
}

export interface QueueOptions {
  parts: JobParts;
  train: Train;
  max_running: number;
  /** The folder of a job's work. */
  workDir(id: string): string;
}

interface Running {
  /** Ends the job at once. */
  kill(why: string): void;
  ended: Promise<void>;
}

export function jobQueue(options: QueueOptions): JobQueue {
  const { parts, max_running } = options;
  const { jobs } = parts.store;
  const waiting: string[] = [];
  const running = new Map<string, Running>();
  const drain = new AbortController();
  const steps = jobSteps(options);

  function pump(): void {
    while (!drain.signal.aborted && running.size < max_running) {
      const id = waiting.shift();
      if (id === undefined) return;
      const kill = new AbortController();
      const ended = steps
        .perform(id, { drain: drain.signal, kill: kill.signal })
        // Nothing may stop the queue: what fails here is the database, and the next start finds the job where it stood.
        .catch((error: unknown) => parts.context.log.warn(`job ${id}: ${messageOf(error)}`))
        .finally(() => {
          running.delete(id);
          pump();
        });
      running.set(id, { kill: (why) => kill.abort(why), ended });
    }
  }

  function add(id: string): void {
    steps.move(id, "pending", "TrainingJobPending");
    waiting.push(id);
    pump();
  }

  return {
    begin() {
      steps.forgetOthers(jobs.unfinished().map(({ id }) => id));
      for (const { id, status } of jobs.unfinished()) {
        if (status === "cancelling") steps.cancelled(id);
        else add(id);
      }
    },
    // The client is answered with a job that was just created.
    add: (id) => void setImmediate(() => !drain.signal.aborted && jobs.get(id)?.status === "created" && add(id)),
    cancel(id) {
      const runs = running.get(id);
      if (runs !== undefined) {
        steps.move(id, "cancelling", "cancelling");
        runs.kill(CANCELLED);
        return;
      }
      const place = waiting.indexOf(id);
      if (place !== -1) waiting.splice(place, 1);
      steps.cancelled(id);
    },
    waiting: () => waiting.length,
    async stop(limit_ms) {
      drain.abort();
      const ends = [...running.values()];
      const timer = setTimeout(() => ends.map(({ kill }) => kill("stopped")), limit_ms);
      await Promise.all(ends.map(({ ended }) => ended));
      clearTimeout(timer);
      jobs.flush();
    },
  };
}
