import { expect, test } from "vitest";
import { Column } from "./column.ts";

test("a column holds what was set, over many pages, and 0 elsewhere", () => {
  const column = Column.uint32();
  expect(column.get(5)).toBe(0);
  for (let place = 0; place < 200_000; place += 3) column.set(place, place * 7);
  for (let place = 0; place < 200_000; place += 1) {
    if (column.get(place) !== (place % 3 === 0 ? place * 7 : 0)) throw new Error(`place ${place} is wrong`);
  }
  column.set(1_000_000, 1);
  expect([column.get(1_000_000), column.get(999_999), column.get(2_000_000)]).toEqual([1, 0, 0]);
});

test("each kind holds its own numbers", () => {
  const [bytes, numbers] = [Column.uint8(), Column.float64()];
  bytes.set(0, 255);
  numbers.set(0, 0.1);
  expect([bytes.get(0), numbers.get(0)]).toEqual([255, 0.1]);
});
