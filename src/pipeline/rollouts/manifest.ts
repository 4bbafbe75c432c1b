import { basename, dirname, extname, join, relative } from "node:path";
import { SPLIT_SALT } from "../../datasets/split.ts";
import type { Finding } from "../../preferences/lint.ts";
import type { SkipCounts } from "../../registry/training.ts";
import type { RolloutPairsOptions } from "./build-rollout-pairs.ts";
import type { BadLine, ScannedSources } from "./scan-sources.ts";
import type { WrittenPairs } from "./write-pairs.ts";

/** Where the manifest of an output stands: beside it, under its name. */
export function manifestPath(output: string): string {
  return join(dirname(output), `${basename(output, extname(output))}.manifest.json`);
}

/** What came of rollouts, and why anything did not. */
export interface RolloutSummary {
  rollouts: number;
  tasks: number;
  /** Rollouts of one task and prompt are one group. */
  groups: number;
  pairs: number;
  training: number;
  validation: number;
  /** What was left out, by reason: rollouts (see `UNUSABLE`), groups and couples (see `choosePairs`), pairs (`unwritable_…`). */
  skipped: SkipCounts;
  /** What rows leave out of pairs that were written, by what it is. */
  lost_fields: Record<string, number>;
  averages: WrittenPairs["averages"];
  bad: number;
  bad_lines: BadLine[];
  faults: Record<string, number>;
  findings: Finding[];
  length_correlation: number | null;
  warnings: string[];
  output: string;
  sha256: { training: string; validation: string };
}

export function summaryOf(
  options: RolloutPairsOptions,
  found: { scanned: ScannedSources; skipped: SkipCounts; written: WrittenPairs; couples: number },
): RolloutSummary {
  const { scanned, skipped, written } = found;
  const { training, validation, sha256, averages, lint } = written;
  const pairs = training + validation;
  const lost = { ...written.lost_fields };
  for (const name of pairs > 0 ? (options.format.never_holds ?? []) : []) lost[name] = pairs;
  return {
    rollouts: scanned.table.read,
    tasks: scanned.table.tasks,
    groups: scanned.table.groups,
    pairs,
    training,
    validation,
    skipped: sorted(skipped),
    lost_fields: sorted(lost),
    averages,
    bad: scanned.bad,
    bad_lines: scanned.bad_lines,
    faults: lint.faults,
    findings: lint.findings,
    length_correlation: lint.length_correlation,
    warnings: [...scanned.warnings, ...warningsOf(options, written)],
    output: options.output,
    sha256,
  };
}

function warningsOf(options: RolloutPairsOptions, { training, validation, lint }: WrittenPairs): string[] {
  const warnings: string[] = [];
  if (options.across_tasks) {
    warnings.push(
      "across tasks the two sides answer different prompts, and the row holds the chosen one's: DPO then learns which prompt was easy, not which answer is better. Use it for nothing but a comparison",
    );
  }
  if (options.validation !== undefined && options.shard === undefined) {
    if (training === 0 && validation > 0)
      warnings.push("all rows are of tasks of the validation side: there is nothing to train on");
    if (validation === 0 && training > 0 && options.validation_share > 0) {
      warnings.push(`no row is for validation: the tasks of ${training} rows are too few to split`);
    }
  }
  for (const { level, message } of lint.findings.filter(({ line }) => line === null))
    warnings.push(level === "warning" ? message : `${level}: ${message}`);
  return warnings;
}

/** The manifest: no time and no place in it, so the same rollouts give the same manifest. */
export function describeManifest(
  options: RolloutPairsOptions,
  { output: _, warnings: __, sha256: outputs, findings: ___, bad_lines: ____, ...counts }: RolloutSummary,
  inputs: { readers: { name: string; reader: string }[]; sha256: string[] },
): string {
  const { strategy, min_gap, high_threshold, low_threshold, max_pairs_per_task, min_group_size } = options;
  const manifest = {
    kind: "rollout_pairs",
    inputs: inputs.readers.map(({ name, reader }, place) => ({ name, reader, sha256: inputs.sha256[place] })),
    format: options.format_name,
    options: {
      strategy,
      min_gap,
      high_threshold,
      low_threshold,
      max_pairs_per_task,
      min_group_size,
      completion: options.completion,
      reward: options.reward ?? null,
      pass_threshold: options.pass_threshold ?? null,
      task_key: options.task_key ?? null,
      prompt_from: options.prompt_from ?? null,
      across_tasks: options.across_tasks,
      join_tasks: options.join_tasks,
      allow_loss: options.allow_loss,
      validation_share: options.validation === undefined ? 0 : options.validation_share,
      split_salt: SPLIT_SALT,
    },
    ...(options.shard !== undefined && { shard: options.shard }),
    files: {
      training: { name: basename(options.output), rows: counts.training, sha256: outputs.training },
      ...(options.validation !== undefined && {
        validation: {
          name: relative(dirname(options.output), options.validation),
          rows: counts.validation,
          sha256: outputs.validation,
        },
      }),
    },
    ...counts,
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function sorted(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}
