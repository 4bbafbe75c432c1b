/** A thread that turns lines of runs into pairs; `threads.ts` starts it and says what to do. */
import { type FileHandle, open } from "node:fs/promises";
import { workerData } from "node:worker_threads";
import { nemoCustomizer } from "../../datasets/formats/nemo-customizer.ts";
import { serveThread } from "../../lib/thread.ts";
import { DpoTrajBuilder } from "../../preferences/dpo-pairs.ts";
import { memoryOf, PairBatcher } from "./batch.ts";
import type { PairBatch } from "./entries.ts";
import type { RunLine } from "./run-lines.ts";
import { linesOf, parseRun, readBatchSync, turnReader } from "./source.ts";
import type { Job, ThreadTask } from "./threads.ts";

const { paths, builder, ...options } = workerData as ThreadTask;
const files = new Map<string, FileHandle>();
const batcher = new PairBatcher({ ...options, builder: new DpoTrajBuilder(builder), format: nemoCustomizer });
const read = turnReader();
let memory = Buffer.alloc(0);

async function work({ lines, memory: given }: Job): Promise<PairBatch> {
  batcher.useMemory(given);
  const opened: RunLine[] = [];
  for (const line of lines) {
    const path = paths[line.place] ?? "";
    const file = files.get(path) ?? (await open(path, "r"));
    files.set(path, file);
    opened.push({ ...line, path, file });
  }
  const batch = readBatchSync(opened, memory);
  memory = batch.bytes;
  for (const stored of linesOf(batch)) {
    if (!batcher.addPlain(stored.bytes)) batcher.addRun(parseRun(stored, read));
  }
  return batcher.batch();
}

serveThread({
  work,
  transfer: memoryOf,
  stop: () => Promise.all([...files.values()].map((file) => file.close())),
});
