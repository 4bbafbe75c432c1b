import { expect, test } from "vitest";
import { cleanups } from "./cleanups.ts";

test("everything is undone, last first, also where one fails, and once only", async () => {
  const undone: string[] = [];
  const stack = cleanups();
  stack.add(() => undone.push("first"));
  stack.add(() => Promise.reject(new Error("second failed")));
  stack.add(async () => undone.push("third"));

  await expect(stack.run()).rejects.toThrow("second failed");
  expect(undone).toEqual(["third", "first"]);

  await stack.run();
  expect(undone).toHaveLength(2);
});
