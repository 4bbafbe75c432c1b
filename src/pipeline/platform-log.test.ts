import { writeSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openPlatformLog } from "./platform-log.ts";

test("of two starts at one moment neither takes away what the other said; a long log gives way to a new one", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-log-"));
  try {
    const first = openPlatformLog(dir);
    writeSync(first.fd, "the first listens\n");
    const second = openPlatformLog(dir);
    writeSync(second.fd, "the second finds it taken\n");
    expect(await readFile(first.path, "utf8")).toBe("the first listens\nthe second finds it taken\n");
    expect(second.said()).toBe("the second finds it taken");
    second.close();

    writeSync(first.fd, "x".repeat((1 << 20) + 1));
    first.close();
    const third = openPlatformLog(dir);
    expect(third.said()).toBe("");
    third.close();
    expect((await readFile(`${first.path}.1`, "utf8")).startsWith("the first listens")).toBe(true);
  } finally {
    await rm(dir, { recursive: true });
  }
});
