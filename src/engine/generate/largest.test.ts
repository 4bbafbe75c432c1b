import { expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { largest } from "./largest.ts";

test("the largest numbers, largest first, earlier places first among equals: as a stable sort gives them", () => {
  const random = seededRandom(1);
  let checked = 0;
  for (let round = 0; round < 300; round += 1) {
    const size = 1 + Math.floor(random() * 60);
    // Few different values, so that there are many equals.
    const values = Array.from({ length: size }, () => Math.floor(random() * 12));
    const sorted = values.map((_, place) => place).sort((a, b) => values[b]! - values[a]!);
    for (const count of [0, 1, 2, Math.ceil(size / 2), size, size + 5]) {
      expect(Array.from(largest(values, count))).toEqual(sorted.slice(0, count));
      checked += 1;
    }
  }
  expect(checked).toBe(1800);
});
