import { link, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileWatch } from "./file-watch.ts";

test("another name for a file that has several is no change of it, writing to it is", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-watch-"));
  try {
    const path = join(dir, "config.json");
    await writeFile(path, "{}");
    await link(path, join(dir, "second"));
    const watch = fileWatch();
    await watch.text(path);
    await link(path, join(dir, "third"));
    await rm(join(dir, "second"));
    await watch.check();

    await writeFile(path, "[]");
    await utimes(path, 1, 1);
    await expect(watch.check()).rejects.toMatchObject({ code: "model_changed" });
  } finally {
    await rm(dir, { recursive: true });
  }
});
