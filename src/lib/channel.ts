/** A sequence that is written at one end and read at the other: `send` waits until the reader has asked for the item. */
export interface Channel<T> {
  /** Rejects with the reader's error once the reader is gone. */
  send(item: T): Promise<void>;
  /** The end: the reader's loop ends. With an error, it is thrown there. */
  end(error?: unknown): void;
  /** For one reader. */
  readonly items: AsyncIterable<T>;
}

/** Lets two loops work on one source, step by step, holding one item at a time. */
export function createChannel<T>(): Channel<T> {
  let waiting: { item: T; taken: () => void; refused: (error: unknown) => void } | undefined;
  let wake: (() => void) | undefined;
  let ended: { error?: unknown } | undefined;
  let left: { error: unknown } | undefined;

  async function* read(): AsyncGenerator<T> {
    try {
      for (;;) {
        if (waiting) {
          const { item, taken } = waiting;
          waiting = undefined;
          taken();
          yield item;
        } else if (ended) {
          if (ended.error !== undefined) throw ended.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      left = { error: new Error("the reader of a channel has left") };
      waiting?.refused(left.error);
    }
  }

  return {
    items: read(),
    send: (item) =>
      new Promise((taken, refused) => {
        if (left) return refused(left.error);
        waiting = { item, taken, refused };
        wake?.();
      }),
    end(error) {
      ended = error === undefined ? {} : { error };
      wake?.();
    },
  };
}
