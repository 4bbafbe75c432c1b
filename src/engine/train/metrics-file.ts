import { type FileHandle, open, readFile } from "node:fs/promises";
import { codeOf } from "../../lib/errors.ts";
import { writeFileWhole } from "../../lib/files.ts";
import { writeError } from "../weights/weights-error.ts";
import type { TrainingRecord } from "./run-training.ts";

/** The file that a job's steps and validations are appended to, one JSON line each. */
export interface MetricsFile extends AsyncDisposable {
  /** Fails where an earlier line could not be written. */
  append(record: TrainingRecord): void;
  /** Waits until every line is written. */
  flush(): Promise<void>;
}

/**
 * Opens the metrics of a job that has done `step` steps: lines after that, which a killed job wrote and a resumed one will
 * write again, are taken out, and so is half a line.
 */
export async function openMetricsFile(path: string, step: number): Promise<MetricsFile> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  });
  const kept = text.split("\n").filter((line) => stepOf(line) <= step);
  await writeFileWhole(path, kept.map((line) => `${line}\n`).join(""));
  const file: FileHandle = await open(path, "a");
  let writing: Promise<unknown> = Promise.resolve();
  let fault: unknown;
  return {
    append(record) {
      if (fault !== undefined) throw fault;
      writing = writing
        .then(() => file.appendFile(`${JSON.stringify(record)}\n`))
        .catch((error: unknown) => {
          fault ??= writeError(path, error);
        });
    },
    async flush() {
      await writing;
      if (fault !== undefined) throw fault;
    },
    // Throws nothing of its own: it would stand in place of the error that training ended with.
    async [Symbol.asyncDispose]() {
      await writing;
      await file.close();
    },
  };
}

/** The step of a line; beyond every step where the line is half written. */
function stepOf(line: string): number {
  if (line === "") return Number.POSITIVE_INFINITY;
  try {
    return (JSON.parse(line) as TrainingRecord).step;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
