/** Two stages of stopping: first let what runs come to its end, then not even that. */
export interface Interrupt extends Disposable {
  readonly drain: AbortSignal;
  readonly stop: AbortSignal;
}

/** Ctrl-C (or SIGTERM) once drains, twice stops. `onDrain` tells the user. */
export function onInterrupt(onDrain: () => void): Interrupt {
  const drain = new AbortController();
  const stop = new AbortController();
  const handle = () => {
    if (drain.signal.aborted) {
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
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
