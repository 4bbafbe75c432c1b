import { expect, test } from "vitest";
import { createGate } from "./gate.ts";

test("never lets more than its limit in, and keeps the order of arrival", async () => {
  const gate = createGate(2);
  const order: number[] = [];
  let inside = 0;
  let most = 0;

  await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      gate.run(async () => {
        order.push(index);
        inside += 1;
        most = Math.max(most, inside);
        await new Promise(setImmediate);
        inside -= 1;
      }),
    ),
  );

  expect(most).toBe(2);
  expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

test("an abort ends a wait without taking the place, and a failure gives its place back", async () => {
  const gate = createGate(1);
  const controller = new AbortController();
  const failing = gate.run(async () => {
    await new Promise(setImmediate);
    throw new Error("failed");
  });
  const waiting = gate.run(async () => "never", controller.signal);
  const third = gate.run(async () => "third");
  controller.abort("gone");

  await expect(waiting).rejects.toBe("gone");
  await expect(failing).rejects.toThrow("failed");
  expect(await third).toBe("third");
});
