import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { exists } from "../../lib/files.ts";
import { readJobRecord } from "../finetune/job-file.ts";
import type { Judged } from "../finetune/measuring.ts";
import type { FinetuneResult } from "../finetune/run-job.ts";
import { storedResult } from "../finetune/stored-result.ts";
import { findRuns } from "../run-folder.ts";

/**
 * What the newest run came to, where it is this round, is over, and is in no record of rounds: the process was killed just
 * before it could be put there. Undefined where there is none.
 */
export async function finishedRound(
  round: number,
  { output_dir, command }: { output_dir: string; command: string },
): Promise<FinetuneResult | undefined> {
  const manifest = (await findRuns(output_dir)).find((run) => run.command === command);
  if (manifest?.status !== "completed" || manifest.round !== round) return undefined;
  if ((await recordedRuns(output_dir)).has(manifest.run_id)) return undefined;
  const dir = join(output_dir, manifest.run_id);
  const job = await readJobRecord(dir);
  // Without pairs, what failed is played again first.
  if (job === undefined && manifest.got.failed > 0) return undefined;
  const result = await storedResult({ dir, manifest, path: (name) => join(dir, name) });
  const judged = await storedJudgement(join(dir, "measurement.json"));
  const seconds = (Date.parse(manifest.finished_at ?? manifest.started_at) - Date.parse(manifest.started_at)) / 1000;
  return { ...result, seconds, ...(job && { job }), ...judged };
}

async function storedJudgement(path: string): Promise<Partial<Judged>> {
  if (!(await exists(path))) return {};
  const { before, after, verdict } = JSON.parse(await readFile(path, "utf8")) as Required<Judged>;
  return { before, after, verdict };
}

/** Also of rounds that were put aside. */
async function recordedRuns(output_dir: string): Promise<Set<string>> {
  const names = (await readdir(output_dir)).filter((name) => /^loop(-.*)?\.json$/.test(name));
  const texts = await Promise.all(names.map((name) => readFile(join(output_dir, name), "utf8")));
  const records = texts.map((text) => JSON.parse(text) as { rounds?: { run_id: string }[] });
  return new Set(records.flatMap(({ rounds = [] }) => rounds.map(({ run_id }) => run_id)));
}
