/** Lets at most `limit` pieces of work run at once; the others wait their turn in order. */
export interface Gate {
  /** Waits for a place, runs the work, frees the place. A wait ends with the signal's reason. */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function createGate(limit: number): Gate {
  // A Set keeps the order of arrival and gives up a waiter in constant time.
  const waiting = new Set<() => void>();
  let free = limit;

  function place(signal: AbortSignal | undefined): Promise<void> | undefined {
    signal?.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = () => {
        waiting.delete(enter);
        reject(signal?.reason);
      };
      waiting.add(enter);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  function leave(): void {
    const [next] = waiting;
    if (next === undefined) {
      free += 1;
    } else {
      waiting.delete(next);
      next();
    }
  }

  return {
    async run(work, signal) {
      await place(signal);
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
