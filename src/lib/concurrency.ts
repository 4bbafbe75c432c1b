/**
 * Runs `work` on every item, at most `limit` at a time, starting the next the moment one ends: no batches, no barrier.
 * The first failure stops further starts, waits for what is running, and is thrown. `shouldStop` ends it early and quietly.
 */
export async function forEachBounded<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
  shouldStop: () => boolean = () => false,
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let failed: { error: unknown } | undefined;
  let ended = false;
  // An async source must be asked for one item at a time.
  let asking: Promise<unknown> = Promise.resolve();

  async function next(): Promise<IteratorResult<T>> {
    const mine = asking.then(() => (ended ? { done: true as const, value: undefined } : iterator.next()));
    asking = mine.catch(() => undefined);
    return mine;
  }

  async function worker(): Promise<void> {
    while (!failed && !shouldStop()) {
      try {
        const { done, value } = await next();
        if (done) {
          ended = true;
          return;
        }
        await work(value);
      } catch (error) {
        failed ??= { error };
        ended = true;
      }
    }
  }

  await Promise.all(Array.from({ length: Math.max(1, limit) }, worker));
  if (!ended) await iterator.return?.();
  if (failed) throw failed.error;
}
