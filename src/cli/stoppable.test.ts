import { expect, test } from "vitest";
import { stoppable } from "./stoppable.ts";

test("a signal aborts the work, and that is code 130", async () => {
  const listening = process.listenerCount("SIGINT");
  const work = stoppable(
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        process.emit("SIGINT");
      }),
  );
  await expect(work).rejects.toMatchObject({ code: "interrupted", exit_code: 130 });
  // The listener stays on purpose: the next signal ends the process.
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    for (const listener of process.listeners(name).slice(listening)) process.off(name, listener as () => void);
  }
});

test("what work gives or throws by itself is passed on", async () => {
  expect(await stoppable(async () => 1)).toBe(1);
  await expect(stoppable(() => Promise.reject(new Error("own")))).rejects.toThrow("own");
});
