import { type PairwrightError, usageError } from "../../lib/errors.ts";
import type { LoraAdapter } from "../model/lora.ts";
import type { AdapterSet } from "./adapter-set.ts";
import type { LoadedAdapter } from "./loaded-adapter.ts";

/** An adapter under its name, and how many requests use it. */
export interface NamedAdapter {
  readonly loaded: LoadedAdapter;
  users: number;
  /** Set when it was removed: called when its last request is over. */
  unused: (() => void) | undefined;
}

/** Adapters by name. One that is removed is gone for new requests at once, and stays for those that run with it. */
export class NamedAdapters {
  readonly #set: AdapterSet | undefined;
  readonly #named = new Map<string, NamedAdapter>();

  constructor(set: AdapterSet | undefined) {
    this.#set = set;
  }

  /** Errors: `bad_request` for a name that is taken or a model without room for adapters, `bad_adapter`. */
  add(name: string, adapter: LoraAdapter, where: string): void {
    const set = this.#required();
    if (this.#named.has(name)) {
      const what = `there is an adapter ${JSON.stringify(name)} already`;
      throw usageError({ code: "bad_request", where: "adapter", what, fix: "remove it first" });
    }
    this.#named.set(name, { loaded: set.add(adapter, where), users: 0, unused: undefined });
  }

  /** The adapter of a request, until it is released. Errors: `adapter_not_found`. */
  use(name: string): NamedAdapter {
    const adapter = this.#find(name);
    adapter.users += 1;
    return adapter;
  }

  release(adapter: NamedAdapter): void {
    adapter.users -= 1;
    if (adapter.users === 0) adapter.unused?.();
  }

  /** Settles when no request uses it any more and its memory is free. Errors: `adapter_not_found`. */
  async remove(name: string): Promise<void> {
    const adapter = this.#find(name);
    this.#named.delete(name);
    if (adapter.users > 0) {
      await new Promise<void>((resolve) => {
        adapter.unused = resolve;
      });
    }
    this.#required().remove(adapter.loaded);
  }

  #find(name: string): NamedAdapter {
    this.#required();
    const adapter = this.#named.get(name);
    if (adapter) return adapter;
    throw usageError({
      code: "adapter_not_found",
      where: "adapter",
      what: `the model has no adapter ${JSON.stringify(name)}`,
      fix: this.#named.size === 0 ? "add it first" : `use one of ${[...this.#named.keys()].join(", ")}`,
    });
  }

  #required(): AdapterSet {
    if (this.#set) return this.#set;
    throw noRoom();
  }
}

function noRoom(): PairwrightError {
  return usageError({
    code: "bad_request",
    where: "adapter",
    what: "the model was opened without room for adapters",
    fix: "open it with adapters: true, or merge the adapter into its weights",
  });
}
