/** What has to be undone, last first: Node 20 has no `AsyncDisposableStack`. */
export interface Cleanups {
  add(undo: () => unknown): void;
  /** Undoes everything, also where one of them fails; then throws the first failure. A second call does nothing. */
  run(): Promise<void>;
}

export function cleanups(): Cleanups {
  const undos: (() => unknown)[] = [];
  return {
    add: (undo) => void undos.push(undo),
    async run() {
      const faults: unknown[] = [];
      for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
        try {
          await undo();
        } catch (error) {
          faults.push(error);
        }
      }
      if (faults.length > 0) throw faults[0];
    },
  };
}
