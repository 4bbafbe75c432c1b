import { expect, test } from "vitest";
import { seededRandom } from "./random.ts";
import { UnionFind } from "./union-find.ts";

test("joined numbers are one set, others are not, as sets of sets say", () => {
  const random = seededRandom(5);
  for (let round = 0; round < 50; round += 1) {
    const found = new UnionFind();
    let sets = Array.from({ length: 30 }, (_, number) => new Set([number]));
    for (let joins = 0; joins < 20; joins += 1) {
      const [a, b] = [Math.floor(random() * 30), Math.floor(random() * 30)];
      found.join(a, b);
      const [one, other] = [sets.find((set) => set.has(a))!, sets.find((set) => set.has(b))!];
      if (one !== other) sets = [...sets.filter((set) => set !== one && set !== other), new Set([...one, ...other])];
    }
    for (const set of sets) expect(new Set([...set].map((number) => found.find(number))).size).toBe(1);
    expect(new Set(Array.from({ length: 30 }, (_, number) => found.find(number))).size).toBe(sets.length);
  }
});
