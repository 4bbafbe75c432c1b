/** A thread that turns lines of runs into pairs; `threads.ts` starts it and says what to do. */
import { type FileHandle, open } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { nemoCustomizer } from "../../datasets/formats/nemo-customizer.ts";
import { PairwrightError } from "../../lib/errors.ts";
import { DpoTrajBuilder } from "../../preferences/dpo-traj-builder.ts";
import { memoryOf, PairBatcher } from "./batch.ts";
import type { RunLine } from "./run-lines.ts";
import { linesOf, parsed, readBatch, turnReader } from "./source.ts";
import type { Job, JobResult, ThreadTask } from "./threads.ts";

const { paths, builder, ...options } = workerData as ThreadTask;
const files = new Map<string, FileHandle>();
const batcher = new PairBatcher({ ...options, builder: new DpoTrajBuilder(builder), format: nemoCustomizer });
const read = turnReader();
let memory = Buffer.alloc(0);
let last: Promise<void> = Promise.resolve();

async function work({ lines, memory: given }: Job): Promise<JobResult> {
  batcher.useMemory(given);
  const opened: RunLine[] = [];
  for (const line of lines) {
    const path = paths[line.place] ?? "";
    const file = files.get(path) ?? (await open(path, "r"));
    files.set(path, file);
    opened.push({ ...line, path, file });
  }
  const batch = await readBatch(opened, memory);
  memory = batch.bytes;
  for (const { run } of parsed(linesOf(batch), read)) batcher.addRun(run);
  return { batch: batcher.batch() };
}

/** An error keeps its facts on the way to the other thread, but not its class. */
function failureOf(error: unknown): JobResult {
  if (!PairwrightError.is(error)) return { error };
  const { code, where, what, fix, exit_code } = error;
  return { facts: { code, where, what, fix, exit_code } };
}

/** The memory goes along, rather than a copy of it. */
function reply(result: JobResult): void {
  parentPort?.postMessage(result, "batch" in result ? memoryOf(result.batch) : []);
}

async function stop(): Promise<void> {
  await Promise.all([...files.values()].map((file) => file.close()));
  parentPort?.close();
}

parentPort?.on("message", (job: Job | "stop") => {
  last = last.then(async () => {
    if (job === "stop") await stop();
    else reply(await work(job).catch(failureOf));
  });
});
