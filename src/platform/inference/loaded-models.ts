import type { ModelThread } from "../../engine/generate/model-thread.ts";
import { createGate } from "../../lib/gate.ts";
import { untilAborted } from "../../lib/until-aborted.ts";
import { HttpFault } from "../http/http-fault.ts";
import { LoadedAdapters } from "./loaded-adapters.ts";
import type { ModelLoader } from "./model-loader.ts";
import type { ModelSource, ServedModel } from "./model-names.ts";
import type { ServingSettings } from "./serving-settings.ts";

export interface LoadedModelsOptions {
  loader: ModelLoader;
  /** What all of them together may take. */
  memory_bytes: number;
  /** Told of a model whose process ended by itself. */
  onCrash(label: string, error: Error): void;
}

interface Entry {
  label: string;
  takes_adapters: boolean;
  opened: Promise<Opened>;
  /** Undefined until it is open. */
  model: Opened | undefined;
  /** Requests that hold it. */
  users: number;
  last_used: number;
  /** Settles when it is gone; nobody may begin to use it any more. */
  leaving: Promise<void> | undefined;
}

export interface Opened {
  thread: ModelThread;
  settings: ServingSettings;
  adapters: LoadedAdapters;
}

/**
 * Models in memory, each in a process of its own, loaded when somebody wants to use them. What they take is bounded: the
 * least recently used one makes room, one that nobody uses first. One whose process dies is loaded anew for the next use.
 */
export class LoadedModels {
  readonly #options: LoadedModelsOptions;
  readonly #entries = new Map<string, Entry>();
  /** One after another: they need all cores, and what one leaves of the memory is not known before it is there. */
  readonly #loads = createGate(1);
  readonly #closing = new AbortController();
  #turn = 0;
  #onIdle = new Set<() => void>();

  constructor(options: LoadedModelsOptions) {
    this.#options = options;
  }

  /** Those that are loaded or about to be, by the key of their weights. */
  list(): { key: string; label: string; model: Opened | undefined }[] {
    return [...this.#entries].map(([key, { label, model }]) => ({ key, label, model }));
  }

  /** Works with a model, and with the name that its adapter has in its process. Errors: those of loading and of the work. */
  async use<T>(
    model: ServedModel,
    signal: AbortSignal,
    work: (opened: Opened, adapter?: string) => Promise<T>,
  ): Promise<T> {
    const entry = await this.#hold(model, signal);
    try {
      const opened = entry.model ?? (await untilAborted(entry.opened, signal));
      const { adapter } = model;
      if (adapter === undefined) return await work(opened);
      const { thread, adapters } = opened;
      const add = (name: string) => this.#options.loader.addAdapter(thread, name, adapter);
      return await adapters.use(keyOf(adapter), add, signal, (name) => work(opened, name));
    } finally {
      entry.users -= 1;
      this.#turn += 1;
      entry.last_used = this.#turn;
      if (entry.users === 0) this.#wake();
    }
  }

  /** Lets a model go when the requests that it works on are done. */
  async unload(model: ServedModel): Promise<void> {
    const entry = this.#entries.get(keyOf(model.weights));
    if (entry?.model === undefined) return;
    if (model.adapter) await entry.model.adapters.remove(keyOf(model.adapter));
    else await this.#leave(keyOf(model.weights), entry);
  }

  /** What is at work fails. */
  async close(): Promise<void> {
    this.#closing.abort(new HttpFault(503, "the platform is stopping"));
    await Promise.all(
      [...this.#entries.values()].map(({ opened }) =>
        opened.then(
          ({ thread }) => thread.close(),
          () => undefined,
        ),
      ),
    );
  }

  /** Counts one user more where the model is, or is to be: loading begins when nobody has begun it. */
  async #hold(model: ServedModel, signal: AbortSignal): Promise<Entry> {
    const key = keyOf(model.weights);
    for (;;) {
      this.#closing.signal.throwIfAborted();
      const entry = this.#entries.get(key) ?? this.#begin(key, model);
      const fits = entry.takes_adapters || model.adapter === undefined;
      if (fits && entry.leaving === undefined) {
        entry.users += 1;
        return entry;
      }
      // Opened for its own sake only, it is opened anew for the first of its adapters.
      await untilAborted(this.#leave(key, entry), signal);
    }
  }

  #begin(key: string, model: ServedModel): Entry {
    const { signal } = this.#closing;
    const opened = this.#loads.run(() => this.#open(entry, model.weights), signal);
    const label = model.parent ?? model.id;
    const entry: Entry = {
      label,
      takes_adapters: model.adapter !== undefined,
      opened,
      model: undefined,
      users: 0,
      last_used: this.#turn,
      leaving: undefined,
    };
    this.#entries.set(key, entry);
    const forget = () => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      this.#wake();
    };
    opened
      .then(({ thread }) => thread.gone)
      .then(
        (error) => {
          forget();
          if (error) this.#options.onCrash(label, error);
        },
        // Told to those who wait for it.
        forget,
      );
    return entry;
  }

  async #open(entry: Entry, source: ModelSource): Promise<Opened> {
    const { thread, settings } = await this.#options.loader.open(source, {
      adapters: entry.takes_adapters,
      makeRoom: (bytes) => this.#makeRoom(bytes),
      signal: this.#closing.signal,
    });
    entry.model = { thread, settings, adapters: new LoadedAdapters(thread) };
    return entry.model;
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { memory_bytes } = this.#options;
    for (;;) {
      const loaded = [...this.#entries].flatMap(([key, entry]) =>
        entry.model ? [{ key, entry, ...entry.model }] : [],
      );
      const taken = loaded.reduce((sum, { thread }) => sum + thread.bytes, 0);
      if (taken + bytes <= memory_bytes) return;
      const [first] = loaded.sort(
        ({ entry: one }, { entry: other }) =>
          Number(one.users > 0) - Number(other.users > 0) || one.last_used - other.last_used,
      );
      if (first === undefined) throw tooLarge(bytes, memory_bytes);
      await this.#leave(first.key, first.entry);
    }
  }

  /** Closes a model when nobody uses it any more; who wants it meanwhile waits, and then begins anew. */
  #leave(key: string, entry: Entry): Promise<void> {
    const leave = async () => {
      while (entry.users > 0) await new Promise<void>((resolve) => this.#onIdle.add(resolve));
      // Nothing to close where it could not be opened.
      const opened = await entry.opened.catch(() => undefined);
      await opened?.thread.close();
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    };
    entry.leaving ??= leave();
    return entry.leaving;
  }

  #wake(): void {
    const waiting = this.#onIdle;
    this.#onIdle = new Set();
    for (const resolve of waiting) resolve();
  }
}

export function keyOf(source: ModelSource): string {
  return "dir" in source ? source.dir : `hf://${source.repo}@${source.commit}`;
}

function tooLarge(bytes: number, memory_bytes: number): HttpFault {
  const mib = (size: number) => `${Math.ceil(size / 2 ** 20)} MiB`;
  const what = `the model needs ${mib(bytes)} of memory, and all models together may take ${mib(memory_bytes)}`;
  return new HttpFault(503, what, { "x-should-retry": "false" });
}
