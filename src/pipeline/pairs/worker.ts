/** A thread that turns lines of runs into pairs; `threads.ts` starts it and says what to do. */
import { type FileHandle, open } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { nemoCustomizer } from "../../datasets/formats/nemo-customizer.ts";
import { PairwrightError } from "../../lib/errors.ts";
import { DpoTrajBuilder } from "../../preferences/dpo-traj-builder.ts";
import { PairBatcher } from "./batch.ts";
import type { RunLine } from "./run-lines.ts";
import { linesOf, parsed, readBatch } from "./source.ts";
import type { Job, JobResult, ThreadTask } from "./threads.ts";

const { paths, slots, builder, ...options } = workerData as ThreadTask;
const files = new Map<string, FileHandle>();
// What a slot holds is read by the other side until it sends the next job for that slot.
const batchers = Array.from(
  { length: slots },
  () => new PairBatcher({ ...options, builder: new DpoTrajBuilder(builder), format: nemoCustomizer }, true),
);
let memory = Buffer.alloc(0);
let last: Promise<void> = Promise.resolve();

async function work({ slot, lines }: Job): Promise<JobResult> {
  const batcher = batchers[slot];
  if (batcher === undefined) throw new RangeError(`there is no slot ${slot}`);
  const opened: RunLine[] = [];
  for (const line of lines) {
    const path = paths[line.place] ?? "";
    const file = files.get(path) ?? (await open(path, "r"));
    files.set(path, file);
    opened.push({ ...line, path, file });
  }
  const batch = await readBatch(opened, memory);
  memory = batch.bytes;
  for (const { run } of parsed(linesOf(batch))) batcher.addRun(run);
  return { batch: batcher.batch() };
}

/** An error keeps its facts on the way to the other thread, but not its class. */
function failureOf(error: unknown): JobResult {
  if (!PairwrightError.is(error)) return { error };
  const { code, where, what, fix, exit_code } = error;
  return { facts: { code, where, what, fix, exit_code } };
}

async function stop(): Promise<void> {
  await Promise.all([...files.values()].map((file) => file.close()));
  parentPort?.close();
}

parentPort?.on("message", (job: Job | "stop") => {
  last = last.then(async () => {
    if (job === "stop") await stop();
    else parentPort?.postMessage(await work(job).catch(failureOf));
  });
});
