import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nemoCustomizer } from "../../../datasets/formats/nemo-customizer.ts";
import { DpoTrajBuilderOptions } from "../../../preferences/dpo-traj-builder-options.ts";
import { dpoTrajBuilder } from "../../../preferences/dpo-traj-builder.ts";
import { RunRecord } from "../../../records/run.ts";
import type { BuildPairsOptions } from "../build-pairs.ts";

export type Replies = Record<string, number | null>;

/** A stored run: one turn for each entry, `[prompt, {reply: score}]`. */
export function storedRun(example_index: number, turns: [string, Replies][], change: Partial<RunRecord> = {}): RunRecord {
  return RunRecord.parse({
    example_id: `e${example_index}`,
    example_index,
    rep: 0,
    run_index: 0,
    status: "completed",
    seed: 0,
    started_at: "2026-01-01T00:00:00.000Z",
    seconds: 1,
    usage: { prompt_tokens: 400, completion_tokens: 100, total_tokens: 500, llm_calls: 2 },
    input: "q",
    output: "a",
    steps: turns.flatMap(([prompt, replies], turn_index) =>
      Object.entries(replies).map(([output, score], candidate_index) => ({
        parent_id: "root",
        function_ancestry: { function_id: "w", function_name: "w", parent_id: null, parent_name: null },
        payload: {
          event_type: "TTC_END",
          event_timestamp: 0,
          name: "dpo_candidate_move",
          UUID: `${turn_index}-${candidate_index}`,
          metadata: { is_selected: false, seed: candidate_index, model: "m" },
          data: { turn_id: `t${turn_index}`, turn_index, candidate_index, input: [{ role: "user", content: prompt }], output, score },
        },
      })),
    ),
    ...change,
  });
}

/** A new folder with these runs, in this order. Anything that is not a run is written as it is. */
export async function runFolder(runs: readonly (RunRecord | string)[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pairwright-pairs-"));
  const lines = runs.map((run) => (typeof run === "string" ? run : `${JSON.stringify(run)}\n`));
  await writeFile(join(folder, "runs.jsonl"), lines.join(""));
  return folder;
}

/** Options for a build of these runs, with what a test changes. `builder` takes the builder's written options. */
export function buildOptions(
  runs: string[],
  { builder = {}, ...change }: Partial<Omit<BuildPairsOptions, "builder">> & { builder?: Record<string, unknown> } = {},
): BuildPairsOptions {
  return {
    runs,
    builder: dpoTrajBuilder(DpoTrajBuilderOptions.parse(builder)),
    format: nemoCustomizer,
    format_name: "nemo-customizer",
    use_full_message_history: false,
    training_type: "dpo",
    deduplicate_pairs: true,
    max_pairs: null,
    seed: 0,
    split: { validation: 0.2, by: "auto" },
    ...change,
  };
}

/** The values of a file of lines. */
export async function jsonLines(...path: string[]): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(...path), "utf8");
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no newline");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
