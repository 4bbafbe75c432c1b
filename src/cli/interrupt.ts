import { EXIT } from "../lib/errors.ts";

/** Two stages of stopping: first let what runs come to its end, then not even that. */
export interface Interrupt extends Disposable {
  readonly drain: AbortSignal;
  readonly stop: AbortSignal;
}

/**
 * Ctrl-C (or SIGTERM) once drains, twice stops, and a third time ends the process at once, whatever does not listen.
 * `onDrain` and `onStop` tell the user. After the command's end a signal still ends the process when there was one before: what a
 * plugin left running must not need another kind of kill.
 */
export function onInterrupt(onDrain: () => void, onStop: () => void = () => undefined): Interrupt {
  const drain = new AbortController();
  const stop = new AbortController();
  let over = false;
  const handle = () => {
    if (over || stop.signal.aborted) process.exit(EXIT.interrupted);
    if (drain.signal.aborted) {
      onStop();
      stop.abort(new DOMException("interrupted", "AbortError"));
      return;
    }
    drain.abort();
    onDrain();
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    drain: drain.signal,
    stop: stop.signal,
    [Symbol.dispose]() {
      over = true;
      if (drain.signal.aborted) return;
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
