import { expect, test } from "vitest";
import { createChannel } from "./channel.ts";

test("items arrive in order, one at a time, and the end ends the reading", async () => {
  const channel = createChannel<number>();
  const seen: number[] = [];
  const reading = (async () => {
    for await (const item of channel.items) seen.push(item);
  })();
  for (let item = 0; item < 100; item += 1) {
    await channel.send(item);
    // No more than the one being worked on is ahead of the writer.
    expect(seen.length).toBeGreaterThanOrEqual(item - 1);
  }
  channel.end();
  await reading;
  expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index));
});

test("an error at the end is thrown to the reader", async () => {
  const channel = createChannel<number>();
  const reading = (async () => {
    for await (const _ of channel.items);
  })();
  channel.end(new Error("the source broke"));
  await expect(reading).rejects.toThrow("the source broke");
});

test("a writer whose reader has left is told, instead of waiting for ever", async () => {
  const channel = createChannel<number>();
  const reading = (async () => {
    for await (const _ of channel.items) throw new Error("reader broke");
  })();
  const sending = (async () => {
    for (let item = 0; item < 3; item += 1) await channel.send(item);
  })();
  await expect(reading).rejects.toThrow("reader broke");
  await expect(sending).rejects.toThrow("left");
});
