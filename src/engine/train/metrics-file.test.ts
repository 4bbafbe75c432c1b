import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openMetricsFile } from "./metrics-file.ts";

test("what a killed job wrote after its checkpoint is taken out, half a line too", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-metrics-"));
  const path = join(dir, "metrics.jsonl");
  const line = (step: number) => JSON.stringify({ step, epoch: 0, loss: 1 });
  await writeFile(path, `${[1, 2, 3, 4].map(line).join("\n")}\n{"step":5,"lo`);
  {
    await using metrics = await openMetricsFile(path, 3);
    metrics.append({ step: 4, epoch: 1, loss: 2 });
  }
  const lines = (await readFile(path, "utf8")).split("\n");
  expect(lines).toEqual([line(1), line(2), line(3), '{"step":4,"epoch":1,"loss":2}', ""]);
  await rm(dir, { recursive: true });
});
