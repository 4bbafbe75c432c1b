import { Hono } from "hono";
import { expect, test } from "vitest";
import { bodyChunks } from "./body-chunks.ts";

/** What a route reads of a body, or the status of the fault. */
async function read(body: ReadableStream<Uint8Array> | undefined, idle_ms = 1000): Promise<number | string> {
  const app = new Hono();
  let result: number | string = "";
  app.post("/", async (c) => {
    try {
      for await (const chunk of bodyChunks(c, idle_ms)) result += Buffer.from(chunk).toString();
    } catch (error) {
      result = (error as { status: number }).status;
    }
    return c.body(null);
  });
  await app.request("/", { method: "POST", ...(body && { body, duplex: "half" }) } as RequestInit);
  return result;
}

const stream = (pull: (controller: ReadableStreamDefaultController<Uint8Array>, count: number) => unknown) => {
  let count = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      count += 1;
      await pull(controller, count);
    },
  });
};

test("a body comes piece by piece, and none is nothing", async () => {
  const pieces = stream((controller, count) =>
    count < 4 ? controller.enqueue(Buffer.from(`${count};`)) : controller.close(),
  );
  expect(await read(pieces)).toBe("1;2;3;");
  expect(await read(undefined)).toBe("");
});

test("a client that sends nothing any more is told so", async () => {
  const silent = stream(async (controller, count) => {
    if (count === 1) controller.enqueue(Buffer.from("begun"));
    else await new Promise(() => undefined);
  });
  expect(await read(silent, 20)).toBe(408);
});

test("a client that leaves in the middle has sent no body", async () => {
  const broken = stream((controller, count) => {
    if (count === 1) controller.enqueue(Buffer.from("begun"));
    else controller.error(new Error("aborted"));
  });
  expect(await read(broken)).toBe(400);
});

test("a body that takes longer than the limit, and never rests so long, is read whole", async () => {
  const slow = stream(async (controller, count) => {
    await new Promise((resolve) => setTimeout(resolve, 15));
    if (count < 6) controller.enqueue(Buffer.from(String(count)));
    else controller.close();
  });
  expect(await read(slow, 60)).toBe("12345");
});
