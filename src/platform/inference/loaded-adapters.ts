import type { ModelThread } from "../../engine/generate/model-thread.ts";
import { untilAborted } from "../../lib/until-aborted.ts";

interface Loaded {
  /** Its name in the model's process: a new one each time, so that one that leaves is in nobody's way. */
  name: string;
  added: Promise<void>;
  users: number;
  last_used: number;
}

/** Every adapter that is loaded is computed for every row: more of them than this cost more than loading them again. */
const MOST = 8;

/** The LoRA adapters beside one loaded model. They come when they are asked for, and the least recently used one goes. */
export class LoadedAdapters {
  readonly #thread: ModelThread;
  readonly #loaded = new Map<string, Loaded>();
  #turn = 0;

  constructor(thread: ModelThread) {
    this.#thread = thread;
  }

  /** Works with an adapter, which `add` loads under the name that it is given. Errors: those of `add` and of the work. */
  async use<T>(
    key: string,
    add: (name: string) => Promise<void>,
    signal: AbortSignal,
    work: (name: string) => Promise<T>,
  ): Promise<T> {
    const adapter = this.#loaded.get(key) ?? this.#add(key, add);
    adapter.users += 1;
    try {
      await untilAborted(adapter.added, signal);
      return await work(adapter.name);
    } finally {
      adapter.users -= 1;
      this.#turn += 1;
      adapter.last_used = this.#turn;
    }
  }

  /** Requests that run with it end first. */
  async remove(key: string): Promise<void> {
    const adapter = this.#loaded.get(key);
    if (adapter === undefined) return;
    this.#loaded.delete(key);
    await adapter.added;
    await this.#thread.removeAdapter(adapter.name);
  }

  #add(key: string, add: (name: string) => Promise<void>): Loaded {
    this.#turn += 1;
    const name = `adapter-${this.#turn}`;
    const adapter = { name, added: this.#makeRoom().then(() => add(name)), users: 0, last_used: this.#turn };
    this.#loaded.set(key, adapter);
    adapter.added.catch(() => {
      if (this.#loaded.get(key) === adapter) this.#loaded.delete(key);
    });
    return adapter;
  }

  async #makeRoom(): Promise<void> {
    const idle = [...this.#loaded].filter(([, { users }]) => users === 0);
    idle.sort(([, one], [, other]) => one.last_used - other.last_used);
    const surplus = idle.slice(0, Math.max(0, this.#loaded.size + 1 - MOST));
    await Promise.all(surplus.map(([key]) => this.remove(key)));
  }
}
