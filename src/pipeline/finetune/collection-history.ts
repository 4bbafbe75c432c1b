import { readFile } from "node:fs/promises";
import { exists, writeFileWhole } from "../../lib/files.ts";
import type { Logger } from "../../lib/log.ts";
import { turnsOf } from "../../preferences/candidates.ts";
import type { TrajectoryBuilder } from "../../registry/training.ts";
import { openRunIndex } from "../pairs/run-lines.ts";
import { storedRuns, turnReader } from "../pairs/source.ts";
import type { RunFolder } from "../run-folder.ts";
import type { RunOfDataset } from "../run-options.ts";

/** What one run of the data set gave: a line of `data_collection_progress.jsonl`, with the seeds' names. */
export interface CollectionEntry {
  /** From 1. */
  run_number: number;
  timestamp: string;
  run_id: string;
  completed: number;
  failed: number;
  /** Examples with at least one pair. */
  num_trajectories: number;
  /** Before equal pairs, contradictions and what is over `max_pairs` are left out. */
  num_dpo_pairs: number;
  /** Over the pairs; null when there are none. */
  avg_reward: number | null;
  min_reward: number | null;
  max_reward: number | null;
}

const FILES = { lines: "data_collection_progress.jsonl", list: "collection_history.json" };

export interface HistoryOptions {
  builder: TrajectoryBuilder;
  num_runs: number;
  now: () => number;
  log: Logger;
}

/** Adds what a run of the data set gave to the two files, in the run folder and where the seeds' readers look. */
export async function recordRun(run: RunOfDataset, options: HistoryOptions): Promise<CollectionEntry> {
  const { folder, run_index, completed, failed, played } = run;
  const run_number = run_index + 1;
  const history = await readHistory(folder);
  const before = history.find((entry) => entry.run_number === run_number);
  if (before && played === 0) return before;
  const entry: CollectionEntry = {
    run_number,
    timestamp: new Date(options.now()).toISOString(),
    run_id: folder.manifest.run_id,
    completed,
    failed,
    ...(await pairsOfRun(folder, run_index, options.builder)),
  };
  await writeHistory(
    folder,
    [...history.filter((other) => other !== before), entry].sort((a, b) => a.run_number - b.run_number),
  );
  const reward = entry.avg_reward === null ? "" : `, avg reward: ${entry.avg_reward.toFixed(4)}`;
  options.log.info(
    `Run ${run_number}/${options.num_runs}: collected ${entry.num_trajectories} trajectories, ${entry.num_dpo_pairs} DPO pairs${reward}`,
  );
  return entry;
}

/** What the runs so far gave. */
export async function readHistory(folder: Pick<RunFolder, "path">): Promise<CollectionEntry[]> {
  const path = folder.path(FILES.list);
  return (await exists(path)) ? (JSON.parse(await readFile(path, "utf8")) as CollectionEntry[]) : [];
}

async function writeHistory(folder: RunFolder, history: readonly CollectionEntry[]): Promise<void> {
  await writeFileWhole(folder.path(FILES.lines), history.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  await writeFileWhole(folder.path(FILES.list), `${JSON.stringify(history, null, 2)}\n`);
  for (const name of Object.values(FILES)) await folder.publish(name);
}

/** The pairs that the turns of one run make by themselves. */
async function pairsOfRun(folder: RunFolder, run_index: number, builder: TrajectoryBuilder) {
  let [pairs, sum, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let trajectories = 0;
  await using index = await openRunIndex([folder.path("runs.jsonl")]);
  for await (const batch of storedRuns(index, undefined, turnReader())) {
    for (const { run } of batch) {
      if (run.run_index !== run_index) continue;
      const before = pairs;
      for (const turn of turnsOf(run, builder.step_name)) {
        for (const { reward } of builder.pairsOf(turn, {})) {
          pairs += 1;
          sum += reward;
          min = Math.min(min, reward);
          max = Math.max(max, reward);
        }
      }
      if (pairs > before) trajectories += 1;
    }
  }
  return {
    num_trajectories: trajectories,
    num_dpo_pairs: pairs,
    avg_reward: pairs > 0 ? sum / pairs : null,
    min_reward: pairs > 0 ? min : null,
    max_reward: pairs > 0 ? max : null,
  };
}
