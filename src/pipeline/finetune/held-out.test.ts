import { expect, test } from "vitest";
import type { Example } from "../../registry/workflow.ts";
import { chooseHeldOut } from "./held-out.ts";

async function* examples(ids: readonly string[]): AsyncGenerator<Example> {
  for (const [index, id] of ids.entries()) yield { id, index, input: id, row: {} };
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => `example ${index}`);
const chosen = async (given: readonly string[], share: number) => {
  const held = await chooseHeldOut(examples(given), share);
  const names = given.filter((id) => held.has({ id, row: {} }));
  expect(names).toHaveLength(held.count);
  return { names, sha256: held.sha256 };
};

test("about the share is held out, by id alone: in whatever order, and however many come after", async () => {
  const all = await chosen(ids(1000), 0.2);
  expect(all.names.length).toBeGreaterThan(160);
  expect(all.names.length).toBeLessThan(240);
  const more = await chosen(ids(1200), 0.2);
  expect(more.names.filter((id) => ids(1000).includes(id))).toEqual(all.names);
  const turned = await chosen(ids(1000).reverse(), 0.2);
  expect(turned.names.reverse()).toEqual(all.names);
  expect((await chosen(ids(1000), 0.2)).sha256).toBe(all.sha256);
  expect(more.sha256).not.toBe(all.sha256);
});

test.each([
  [5, 0.001, 1],
  [2, 0.999, 1],
  [1, 0.5, 0],
  [0, 0.5, 0],
  [10, 0, 0],
])(
  "of %i examples with a share of %f, %i are held out: at least one, and never all",
  async (count, share, expected) => {
    expect((await chosen(ids(count), share)).names).toHaveLength(expected);
  },
);

test("by a field, those with its value are held out, wherever they stand; none and all are refused", async () => {
  const parts = ["learn", "measure", "learn", "measure", "measure"];
  async function* rows(): AsyncGenerator<Example> {
    for (const [index, part] of parts.entries()) yield { id: `e${index}`, index, input: "", row: { part, all: true } };
  }
  const held = await chooseHeldOut(rows(), { field: "part", value: "measure" });
  expect(held.count).toBe(3);
  expect(parts.map((part, index) => held.has({ id: `e${index}`, row: { part } }))).toEqual([
    false,
    true,
    false,
    true,
    true,
  ]);
  for (const [rule, what] of [
    [{ field: "part", value: "measures" }, 'no example has "measures" as part'],
    [{ field: "all", value: "true" }, 'all 5 examples have "true" as all'],
  ] as const) {
    await expect(chooseHeldOut(rows(), rule)).rejects.toMatchObject({ code: "config", exit_code: 2, what });
  }
});
