import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { isAlive } from "./is-alive.ts";

test("this process is alive, and one that never was is not", () => {
  expect(isAlive(process.pid)).toBe(true);
  expect(isAlive(2 ** 30)).toBe(false);
});

test.skipIf(!existsSync("/proc/self/stat"))("a process that ended and was never asked after is not alive", async () => {
  // The shell becomes a program that asks after no child.
  const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 20"], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const [line] = await once(parent.stdout, "data");
    const child = Number(String(line));
    for (let tries = 0; isAlive(child) && tries < 200; tries += 1) await wait(10);
    // It still has its id, and does not work.
    expect(() => process.kill(child, 0)).not.toThrow();
    expect(isAlive(child)).toBe(false);
  } finally {
    parent.kill("SIGKILL");
  }
});
