import { expect, test } from "vitest";
import { forEachBounded } from "./concurrency.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("never more than the limit at once, and the next begins the moment one ends", async () => {
  let running = 0;
  let peak = 0;
  const order: number[] = [];
  const gates = new Map<number, () => void>();
  const all = forEachBounded([0, 1, 2, 3, 4], 2, async (item) => {
    running += 1;
    peak = Math.max(peak, running);
    order.push(item);
    await new Promise<void>((resolve) => gates.set(item, resolve));
    running -= 1;
  });
  await turn();
  expect(order).toEqual([0, 1]);
  gates.get(1)?.();
  await turn();
  // Item 0 still runs: there is no barrier between batches.
  expect(order).toEqual([0, 1, 2]);
  for (const item of [2, 3, 4, 0]) {
    gates.get(item)?.();
    await turn();
  }
  await all;
  expect(order).toEqual([0, 1, 2, 3, 4]);
  expect(peak).toBe(2);
});

test("the first failure stops further starts, waits for what runs, and is thrown", async () => {
  const ended: number[] = [];
  const all = forEachBounded([0, 1, 2, 3], 2, async (item) => {
    if (item === 0) throw new Error("zero");
    await turn();
    ended.push(item);
  });
  await expect(all).rejects.toThrow("zero");
  expect(ended).toEqual([1]);
});

test("a source that fails is a failure, and an ended source is closed", async () => {
  async function* failing() {
    yield 1;
    throw new Error("the source broke");
  }
  await expect(forEachBounded(failing(), 4, async () => undefined)).rejects.toThrow("the source broke");

  let closed = false;
  async function* endless() {
    try {
      for (let item = 0; ; item += 1) yield item;
    } finally {
      closed = true;
    }
  }
  let seen = 0;
  await forEachBounded(
    endless(),
    3,
    async () => {
      seen += 1;
    },
    () => seen >= 10,
  );
  expect(closed).toBe(true);
});
