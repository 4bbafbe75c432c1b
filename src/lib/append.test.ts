import { appendFile, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLineAppender } from "./append.ts";

let dir = "";
let path = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-append-"));
  path = join(dir, "log.jsonl");
});
afterEach(() => rm(dir, { recursive: true }));

test("lines keep the order of the calls, and are in the file when their promise resolves", async () => {
  await using log = await openLineAppender(path);
  await Promise.all(Array.from({ length: 500 }, (_, index) => log.append(`line ${index}`)));

  expect(await readFile(path, "utf8")).toBe(Array.from({ length: 500 }, (_, index) => `line ${index}\n`).join(""));
  expect(log.healed).toBeUndefined();
});

test("lines that arrive while one is being written share its fsync", async () => {
  await using log = await openLineAppender(path);
  const probe = await open(path);
  const prototype = Object.getPrototypeOf(probe) as { datasync(): Promise<void> };
  await probe.close();
  const datasync = prototype.datasync;
  let syncs = 0;
  prototype.datasync = function counted() {
    syncs += 1;
    return datasync.call(this);
  };
  try {
    await Promise.all(Array.from({ length: 200 }, (_, index) => log.append(String(index))));
  } finally {
    prototype.datasync = datasync;
  }
  expect(syncs).toBeGreaterThan(0);
  expect(syncs).toBeLessThan(10);
});

test.each([
  ["a line without its newline", 'whole\n{"cut": "o', "whole\nnext\n"],
  ["nothing but a cut line", '{"cut": "o', "next\n"],
  ["a cut line longer than a block", `whole\n${"x".repeat(200_000)}`, "whole\nnext\n"],
])("%s is what a killed process leaves: it is cut off, and said", async (_, before, after) => {
  await writeFile(path, before);
  {
    await using log = await openLineAppender(path);
    expect(log.healed).toMatch(/^cut off a half-written last line of \d+ bytes$/);
    await log.append("next");
  }
  expect(await readFile(path, "utf8")).toBe(after);
});

test("a whole file is left as it is", async () => {
  await writeFile(path, "one\ntwo\n");
  await using log = await openLineAppender(path);
  expect(log.healed).toBeUndefined();
  expect(await readFile(path, "utf8")).toBe("one\ntwo\n");
});

test("after a write that failed, what reached the disk is cut back, and every further line is refused", async () => {
  const log = await openLineAppender(path);
  await log.append("whole");
  const probe = await open(path);
  const prototype = Object.getPrototypeOf(probe) as { write(...args: unknown[]): Promise<{ bytesWritten: number }> };
  await probe.close();
  const write = prototype.write;
  prototype.write = async () => {
    // Half of it got out before the disk was full.
    await appendFile(path, "hal");
    throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  };
  try {
    await expect(log.append("half")).rejects.toMatchObject({ code: "ENOSPC" });
  } finally {
    prototype.write = write;
  }
  await expect(log.append("more")).rejects.toMatchObject({ code: "ENOSPC" });
  await log.close();
  expect(await readFile(path, "utf8")).toBe("whole\n");
});

test("lines taken soon are all on the disk after a flush, in order", async () => {
  await using log = await openLineAppender(path);
  let waited = 0;
  for (let index = 0; index < 2000; index += 1) {
    const behind = log.appendSoon(String(index));
    if (behind !== undefined) {
      waited += 1;
      await behind;
    }
  }
  await log.flush();
  expect(waited).toBeGreaterThan(0);
  expect(await readFile(path, "utf8")).toBe(Array.from({ length: 2000 }, (_, index) => `${index}\n`).join(""));
});
