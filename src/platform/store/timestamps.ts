/** Times as the services write them, of UTC. Each is later than the one before, so that things keep the order they were made in. */
export interface Timestamps {
  /** Entity Store and Customizer: microseconds, no zone: `2025-04-22T20:31:14.976079`. */
  naive(): string;
  /** Deployment Management: nanoseconds and a zone: `2025-04-01T21:38:59.494256552Z`. */
  zoned(): string;
  /** Datastore: whole seconds: `2025-06-20T03:56:39Z`. */
  seconds(): string;
}

/** `now` gives milliseconds since 1970, perhaps with fractions. */
export function timestamps(now: () => number): Timestamps {
  let last = 0;
  function micros(): number {
    last = Math.max(last + 1, Math.floor(now() * 1000));
    return last;
  }
  function upToMillis(at: number): string {
    return new Date(Math.floor(at / 1000)).toISOString().slice(0, -1);
  }
  function naive(): string {
    const at = micros();
    return upToMillis(at) + String(at % 1000).padStart(3, "0");
  }
  return {
    naive,
    zoned: () => `${naive()}000Z`,
    seconds: () => `${naive().slice(0, 19)}Z`,
  };
}
