import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { HEAP_GROWING, keepHeapLow } from "./heap.ts";

test("this Node knows the flag, and takes it while it runs", () => {
  const known = (flag: string) => spawnSync(process.execPath, [flag, "-e", ""]).status === 0;
  expect(known(HEAP_GROWING)).toBe(true);
  expect(known("--heap-growing-percents=75")).toBe(false);
  keepHeapLow();
});
