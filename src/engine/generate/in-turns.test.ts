import { expect, test } from "vitest";
import { inTurns } from "./in-turns.ts";

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test("what is told in one turn of the event loop goes on together, at its end", async () => {
  const passed: number[][] = [];
  const told = inTurns<number[]>(
    () => [],
    (all) => passed.push(all),
  );
  told.now.push(1);
  await Promise.resolve();
  told.now.push(2);
  expect(passed).toEqual([]);
  await nextTurn();
  told.now.push(3);
  await nextTurn();
  expect(passed).toEqual([[1, 2], [3]]);
});

test("what is passed on at once is not passed on again, and nothing is not passed on", async () => {
  const passed: number[][] = [];
  const told = inTurns<number[]>(
    () => [],
    (all) => passed.push(all),
  );
  told.flush();
  told.now.push(1);
  told.flush();
  await nextTurn();
  expect(passed).toEqual([[1]]);
});
