import type { Clock } from "../../lib/clock.ts";
import { EXIT, PairwrightError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { scrubbedLogger, scrubber } from "../../lib/scrub.ts";
import type { TrainingParts } from "../assemble-training.ts";
import { type Made, makeChecks } from "../doctor/check.ts";

export interface LookOptions {
  training: Pick<TrainingParts, "backend" | "secrets">;
  clock: Clock;
  /** Ends the looking; what is interrupted is told by the stage that comes next. */
  drain: AbortSignal;
  stop: AbortSignal;
  log: Logger;
}

/** A backend's own limit comes first. */
const LIMIT_MS = 70_000;
const TRIES = 3;
const PAUSE_MS = 500;

/**
 * Looks at what the backend can tell of a training before anything is collected for it. What does not answer is asked a
 * few times, as a submission would. Errors: that of the first check that failed, which is what the training would have
 * ended with; `not_trainable_there` where a check names none.
 */
export async function refuseUntrainable({ training, clock, drain, stop, log }: LookOptions): Promise<void> {
  const { backend, secrets } = training;
  const { checks = [], place } = backend;
  const signal = AbortSignal.any([drain, stop]);
  const look = () => makeChecks(checks, { signal, limit_ms: LIMIT_MS });
  let made: Made[];
  try {
    made = await look();
    for (let tried = 1; tried < TRIES && made.some(({ unreachable }) => unreachable); tried += 1) {
      await clock.sleep(PAUSE_MS * 2 ** (tried - 1), signal);
      made = await look();
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  const { warn } = scrubbedLogger(log, scrubber(secrets));
  for (const { check } of made) if (check.status === "warning") warn(`${check.name}: ${check.detail}`);
  const failed = made.find(({ check }) => check.status === "failed");
  if (failed) throw failed.fault ?? unnamed(place, failed);
}

function unnamed(place: string, { check: { name, detail }, unreachable }: Made): PairwrightError {
  return new PairwrightError({
    code: unreachable ? "platform_unreachable" : "not_trainable_there",
    where: place,
    what: `${name}: ${detail}`,
    fix: "mend this first, since nothing was collected yet; `pairwright doctor` looks at it again",
    exit_code: unreachable ? EXIT.unreachable : EXIT.usage,
  });
}
