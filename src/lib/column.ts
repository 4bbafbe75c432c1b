const PAGE_BITS = 16;
const PAGE = 1 << PAGE_BITS;
const IN_PAGE = PAGE - 1;

type Typed = Uint8Array | Uint32Array | Float64Array;

/**
 * A typed array that grows at its end, page by page: nothing is copied, and no outgrown copy waits to be collected.
 * A place that was never set holds 0.
 */
export class Column {
  readonly #pages: Typed[] = [];
  readonly #make: (length: number) => Typed;

  private constructor(make: (length: number) => Typed) {
    this.#make = make;
  }

  static uint8(): Column {
    return new Column((length) => new Uint8Array(length));
  }

  static uint32(): Column {
    return new Column((length) => new Uint32Array(length));
  }

  static float64(): Column {
    return new Column((length) => new Float64Array(length));
  }

  get(place: number): number {
    return this.#pages[place >>> PAGE_BITS]?.[place & IN_PAGE] ?? 0;
  }

  set(place: number, value: number): void {
    const number = place >>> PAGE_BITS;
    let page = this.#pages[number];
    while (page === undefined) {
      this.#pages.push(this.#make(PAGE));
      page = this.#pages[number];
    }
    page[place & IN_PAGE] = value;
  }
}
