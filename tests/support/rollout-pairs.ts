import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { BUILTIN_FORMATS } from "../../src/datasets/formats/builtin-formats.ts";
import { buildRolloutPairs, type RolloutPairsOptions } from "../../src/pipeline/rollouts/build-rollout-pairs.ts";
import type { RolloutSummary } from "../../src/pipeline/rollouts/manifest.ts";
import { BUILTIN_READERS } from "../../src/preferences/rollouts/readers/builtin-readers.ts";

export type Row = Record<string, unknown>;

/** What came of rollouts, with the rows of both files. */
export interface Built extends RolloutSummary {
  rows: Row[];
  validation_rows: Row[];
}

/** A folder for one test. */
export async function rolloutFolder() {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-rollouts-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

const DEFAULTS = {
  stdin: Readable.from([]),
  validation_share: 0.2,
  readers: Object.entries(BUILTIN_READERS).map(([name, { reader }]) => ({ name, reader })),
  strategy: "same_prompt",
  min_gap: 0.2,
  high_threshold: 0.7,
  low_threshold: 0.4,
  max_pairs_per_task: 32,
  min_group_size: 2,
  completion: "text",
  across_tasks: false,
  join_tasks: false,
  allow_loss: false,
  max_bad: 0,
} as const;

/** Pairs of rollouts as the command makes them, in this process; output goes to `dir`. */
export async function rolloutPairs(
  dir: string,
  inputs: readonly string[],
  {
    to = "nemo-rl-binary",
    build = buildRolloutPairs,
    ...change
  }: Partial<RolloutPairsOptions> & { to?: string; build?: typeof buildRolloutPairs } = {},
): Promise<Built> {
  const format = BUILTIN_FORMATS[to]?.format;
  if (format === undefined) throw new Error(`no format ${to}`);
  const output = join(dir, "train.jsonl");
  const options = { ...DEFAULTS, inputs, output, format, format_name: to, ...change };
  const summary = await build(options);
  const rowsOf = async (path: string | undefined) =>
    path === undefined || summary.pairs === 0 ? [] : jsonLines(await readFile(path, "utf8"));
  return { ...summary, rows: await rowsOf(options.output), validation_rows: await rowsOf(options.validation) };
}

function jsonLines(text: string): Row[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
}
