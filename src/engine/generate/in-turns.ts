/** Gathers what is told in one turn of the event loop and passes it on at the turn's end. */
export interface InTurns<T> {
  /** What is gathered so far. */
  readonly now: T;
  /** Passes it on at once. */
  flush(): void;
}

/** `empty` makes a new collection; whoever takes one by `now` adds to it. */
export function inTurns<T>(empty: () => T, pass: (gathered: T) => void): InTurns<T> {
  let gathered: T | undefined;
  function flush(): void {
    const whole = gathered;
    gathered = undefined;
    if (whole !== undefined) pass(whole);
  }
  return {
    get now() {
      if (gathered === undefined) {
        gathered = empty();
        setImmediate(flush);
      }
      return gathered;
    },
    flush,
  };
}
