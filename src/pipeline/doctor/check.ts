import { EXIT, PairwrightError } from "../../lib/errors.ts";
import { untilAborted } from "../../lib/until-aborted.ts";
import type { BackendCheck, Finding } from "../../registry/training-backend.ts";

/** A check with what it found. `unknown` is what nobody here can tell; `skipped` had no reason to be looked at. */
export interface Check extends Finding {
  name: string;
}

/** A check that was made, and whether what failed it was something that did not answer. */
export interface Made {
  check: Check;
  unreachable: boolean;
  /** What it threw. */
  fault?: PairwrightError;
}

const LIMIT_MS = 5000;

export const ok = (detail: string): Finding => ({ status: "ok", detail });
export const warning = (detail: string): Finding => ({ status: "warning", detail });
export const failed = (detail: string): Finding => ({ status: "failed", detail });
export const unknown = (detail: string): Finding => ({ status: "unknown", detail });
export const skipped = (detail: string): Finding => ({ status: "skipped", detail });

/** Makes all checks at once, each within `limit_ms`. The order is that of the list. */
export function makeChecks(
  checks: readonly BackendCheck[],
  { signal, limit_ms = LIMIT_MS }: { signal: AbortSignal; limit_ms?: number },
): Promise<Made[]> {
  return Promise.all(checks.map((check) => make(check, signal, limit_ms)));
}

async function make({ name, look }: BackendCheck, signal: AbortSignal, limit_ms: number): Promise<Made> {
  const limit = AbortSignal.timeout(limit_ms);
  const either = AbortSignal.any([signal, limit]);
  try {
    const finding = await untilAborted(look(either), either);
    return { check: { name, ...finding }, unreachable: false };
  } catch (error) {
    signal.throwIfAborted();
    const finding = limit.aborted ? failed(`no answer within ${limit_ms / 1000} s`) : failingOf(error);
    const unreachable = limit.aborted || exitOf(error) === EXIT.unreachable;
    return { check: { name, ...finding }, unreachable, ...(PairwrightError.is(error) && { fault: error }) };
  }
}

/** What an error comes to; one that nobody raised on purpose is a fault of this program, and flies on. */
export function failingOf(error: unknown): Finding {
  if (!PairwrightError.is(error)) throw error;
  return failed(error.fix ? `${error.message} (${error.fix})` : error.message);
}

function exitOf(error: unknown): number {
  return PairwrightError.is(error) ? error.exit_code : EXIT.internal;
}
