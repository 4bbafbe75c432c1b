import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PythonEnv } from "../python-env.ts";
import { type Call, summary } from "./call-counter.ts";

/** What a script of this folder writes: see `checks.py`. */
export interface ConformanceReport {
  versions: Record<string, string>;
  sections: Record<string, { passed: number; failed: string[] }>;
}

/**
 * Runs a script of this folder that reads a JSON job and writes a report. It talks to a hub that is here: what tells the
 * Python libraries to stay offline is taken back, and their caches are thrown away.
 */
export async function runConformance(env: PythonEnv, script: string, job: object): Promise<ConformanceReport> {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-interop-conformance-"));
  try {
    await writeFile(join(dir, "job.json"), JSON.stringify({ ...job, dir }));
    const path = fileURLToPath(new URL(script, import.meta.url));
    await env.python(path, [join(dir, "job.json"), join(dir, "report.json")], {
      env: {
        HF_HUB_OFFLINE: "0",
        HF_DATASETS_OFFLINE: "0",
        TRANSFORMERS_OFFLINE: "0",
        HF_HOME: join(dir, "hf"),
        PYTHONDONTWRITEBYTECODE: "1",
        NO_PROXY: "127.0.0.1",
      },
    });
    return JSON.parse(await readFile(join(dir, "report.json"), "utf8")) as ConformanceReport;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Says what a suite ran, and with which calls. Errors when it ran nothing. */
export function tell(suite: string, { versions, sections }: ConformanceReport, calls: readonly Call[]): void {
  const checks = Object.values(sections).reduce((sum, { passed, failed }) => sum + passed + failed.length, 0);
  if (checks === 0 || calls.length === 0) throw new Error(`${suite} ran nothing`);
  const clients = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const head = `${suite}: ${clients.join(", ")}; ${checks} checks, ${calls.length} calls`;
  process.stdout.write(`${[head, ...summary(calls).map((line) => `  ${line}`)].join("\n")}\n`);
}
