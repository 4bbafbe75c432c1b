/**
 * The places of the `count` largest of some numbers, largest first; of equal ones the earlier place comes first. A heap of
 * `count` places is kept, so that a vocabulary is gone through once and never sorted.
 */
export function largest(values: ArrayLike<number>, count: number): Int32Array {
  const size = Math.min(count, values.length);
  const heap = new Int32Array(size);
  const value = (place: number) => values[place] ?? Number.NEGATIVE_INFINITY;
  /** Whether the first place belongs nearer to the heap's root, where the least of the kept ones is. */
  const less = (a: number, b: number) => value(a) < value(b) || (value(a) === value(b) && a > b);

  function sink(from: number, end: number): void {
    const place = heap[from] ?? 0;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= end) break;
      if (child + 1 < end && less(heap[child + 1] ?? 0, heap[child] ?? 0)) child += 1;
      if (!less(heap[child] ?? 0, place)) break;
      heap[at] = heap[child] ?? 0;
      at = child;
    }
    heap[at] = place;
  }

  for (let place = 0; place < size; place += 1) heap[place] = place;
  for (let at = (size >> 1) - 1; at >= 0; at -= 1) sink(at, size);
  let least = value(heap[0] ?? 0);
  for (let place = size; place < values.length && size > 0; place += 1) {
    if (!(value(place) > least)) continue;
    heap[0] = place;
    sink(0, size);
    least = value(heap[0] ?? 0);
  }
  for (let end = size - 1; end > 0; end -= 1) {
    const first = heap[0] ?? 0;
    heap[0] = heap[end] ?? 0;
    heap[end] = first;
    sink(0, end);
  }
  return heap;
}
