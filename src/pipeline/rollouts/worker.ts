/** A thread that looks at rollouts and makes rows of them; `work.ts` starts it and says what to do. */
import { open } from "node:fs/promises";
import { workerData } from "node:worker_threads";
import { TRAINER_FORMATS } from "../../datasets/formats/trainer-formats.ts";
import { serveThread } from "../../lib/thread.ts";
import { BUILTIN_READERS } from "../../preferences/rollouts/readers/builtin-readers.ts";
import type { DatasetFormat } from "../../registry/training.ts";
import type { MadeRows } from "./made-rows.ts";
import { RowMaker } from "./make-rows.ts";
import type { OpenSource } from "./rollout-lines.ts";
import { type Scanned, Scanner } from "./scan.ts";
import type { RolloutJob, RolloutTask } from "./work.ts";

const { files, format_name, ...options } = workerData as RolloutTask;

async function openAll(): Promise<OpenSource[]> {
  const sources: OpenSource[] = [];
  for (const { name, path, reader_name } of files) {
    const reader = BUILTIN_READERS[reader_name]?.reader;
    if (reader === undefined) throw new Error(`a thread knows no reader "${reader_name}"`);
    sources.push({ name, reader, reader_name, file: await open(path, "r") });
  }
  return sources;
}

const opened = openAll();
// Who asks for the first job gets the fault.
opened.catch(() => undefined);
const scanner = new Scanner(options);
let maker: RowMaker | undefined;

async function formatNamed(name: string): Promise<DatasetFormat> {
  // Our own is checked against its schema, which takes a thread 15 MB and 60 ms.
  const format =
    name === "pairwright"
      ? (await import("../../datasets/formats/pairwright.ts")).pairwright
      : TRAINER_FORMATS[name]?.format;
  if (format === undefined) throw new Error(`a thread knows no format "${name}"`);
  return format;
}

async function work(job: RolloutJob): Promise<Scanned | MadeRows> {
  const sources = await opened;
  if (job.kind === "scan") {
    const source = sources[job.file];
    if (source === undefined) throw new RangeError(`there is no file ${job.file}`);
    return scanner.scan(source.file, job, source.reader, job.max_bad);
  }
  maker ??= new RowMaker({ ...options, format: await formatNamed(format_name) }, sources);
  return maker.make(job.couples, job.memory);
}

serveThread<RolloutJob, Scanned | MadeRows>({
  work,
  transfer: (result) =>
    [result.facts, ...("places" in result ? [result.places] : [result.scores, result.training, result.validation])].map(
      ({ buffer }) => buffer as ArrayBuffer,
    ),
  stop: async () => Promise.all((await opened).map(({ file }) => file.close())),
});
