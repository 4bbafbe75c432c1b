/** So many are kept. */
const KEPT = 32;

/**
 * Values of the last few keys, found by comparing one key after another: for so few that is quicker than hashing, most of
 * all when the keys are texts, and it leaves nothing to collect.
 */
export class Recent<Key, Value> {
  readonly #keys: Key[] = [];
  readonly #values: Value[] = [];
  #oldest = 0;

  get(key: Key): Value | undefined {
    const keys = this.#keys;
    for (let place = 0; place < keys.length; place += 1) if (keys[place] === key) return this.#values[place];
    return undefined;
  }

  /** Keeps a value for a key that `get` does not know, in place of the oldest one. */
  add(key: Key, value: Value): void {
    if (this.#keys.length < KEPT) {
      this.#keys.push(key);
      this.#values.push(value);
      return;
    }
    this.#keys[this.#oldest] = key;
    this.#values[this.#oldest] = value;
    this.#oldest = (this.#oldest + 1) % KEPT;
  }

  clear(): void {
    this.#keys.length = 0;
    this.#values.length = 0;
    this.#oldest = 0;
  }
}
