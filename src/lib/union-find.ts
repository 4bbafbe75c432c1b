import { Column } from "./column.ts";

/** Numbers from 0 that are joined into sets; 4 bytes a number. */
export class UnionFind {
  /** Of each number: its parent and one, or 0 for a number that is its own. */
  readonly #parents = Column.uint32();

  /** The number that stands for the set of this one; it may be another one after the next `join`. */
  find(number: number): number {
    let root = number;
    for (let parent = this.#parents.get(root); parent !== 0; parent = this.#parents.get(root)) root = parent - 1;
    for (let at = number; at !== root; ) {
      const parent = this.#parents.get(at) - 1;
      this.#parents.set(at, root + 1);
      at = parent;
    }
    return root;
  }

  join(a: number, b: number): void {
    const [one, other] = [this.find(a), this.find(b)];
    if (one !== other) this.#parents.set(Math.max(one, other), Math.min(one, other) + 1);
  }
}
