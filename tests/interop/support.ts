import { createHash } from "node:crypto";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Parameters } from "../../src/engine/model/parameters.ts";
import type { PythonEnv } from "./python-env.ts";

/** A folder for one test file's models. */
export function temporaryFolder(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `pairwright-interop-${name}-`));
}

/** Runs a script that reads a JSON job and writes a JSON report. */
export async function runJob<T>(env: PythonEnv, script: string, job: unknown): Promise<T> {
  const dir = await temporaryFolder("job");
  await writeFile(join(dir, "job.json"), JSON.stringify(job));
  await env.python(script, [join(dir, "job.json"), join(dir, "report.json")]);
  return JSON.parse(await readFile(join(dir, "report.json"), "utf8")) as T;
}

/** SHA-256 of each tensor's float32 numbers. */
export function hashesOf(parameters: Parameters): Record<string, string> {
  return Object.fromEntries([...parameters].map(([name, { data }]) => [name, hashOf(data)]));
}

export function hashOf(numbers: Float32Array): string {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  return createHash("sha256").update(bytes).digest("hex");
}
