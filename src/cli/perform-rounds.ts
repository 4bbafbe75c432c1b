import { usageError } from "../lib/errors.ts";
import { assemble } from "../pipeline/assemble.ts";
import { assembleTraining } from "../pipeline/assemble-training.ts";
import type { FinetuneResult } from "../pipeline/finetune/run-job.ts";
import type { FinetuneOptions } from "../pipeline/finetune.ts";
import { type Finished, type FinishOptions, finishLoop, lastResult } from "../pipeline/loop/finish-loop.ts";
import type { LoopRecord } from "../pipeline/loop/loop-record.ts";
import { candidateConfig, roundConfig } from "../pipeline/loop/round-config.ts";
import { loop, type RoundParts } from "../pipeline/loop.ts";
import type { Loaded } from "./collecting.ts";
import { measuringOf } from "./measuring-of.ts";

/** What a finetune came to: its last round's result, with the first model and the champion as before and after. */
export interface RoundsResult extends FinetuneResult {
  rounds?: LoopRecord;
}

/** Several rounds, then the champion against the model that they began with. */
export async function performRounds(
  count: number,
  asked: Omit<FinetuneOptions, "held_out" | "measuring">,
  loaded: Loaded,
): Promise<RoundsResult> {
  const { config, flags } = loaded;
  const { finetuning } = config;
  const measuring = measuringOf(loaded);
  if (measuring === undefined) throw needsMeasuring(config.file);
  if (!asked.wait) throw needsWaiting();
  const { output_dir, held_out } = finetuning;
  const rounds = { ...finetuning.rounds, count };
  // Rounds are compared on held-out examples; a data set of its own is for the last word alone.
  const inRounds = {
    ...measuringOf({ ...loaded, flags: { ...flags, validationDataset: undefined } }),
    best_of_n: false,
  };
  const { record, last, over } = await loop({
    ...asked,
    output_dir,
    rounds,
    curriculum_learning: finetuning.curriculum_learning,
    held_out,
    // A round's model takes no deployment before the last word, whatever was asked for.
    measuring: { ...measuring, ...inRounds, gate: measuring.gate === "exit" ? "exit" : "on" },
    assembleRound: (place) => assembleRound({ ...place, llm: measuring.llm }, count, loaded),
  });
  if (last !== undefined && !over) return { ...last, rounds: record };
  if (last === undefined) {
    asked.log.info(record.ended ?? `all ${record.rounds.length} rounds are done; ask for more with --rounds`);
  }
  // Killed after the last round, this is all that is left to do.
  const { before: _, after: __, verdict: ___, ...result } = last ?? (await lastResult(output_dir, record));
  const judged = await finish(record, { ...asked, output_dir, held_out, measuring }, loaded);
  if (!leftNothing(record)) return { ...result, ...judged, rounds: record };
  // Nothing left to learn from, after rounds that had something, is how rounds are to end.
  const { pairs: ____, ...rest } = result;
  return { ...rest, ...judged, rounds: record };
}

async function finish(
  record: LoopRecord,
  options: Omit<FinishOptions, "candidate">,
  { config, terminal, builtins }: Loaded,
): Promise<Finished> {
  const candidate = assembleTraining(candidateConfig(config), terminal, builtins.secrets);
  try {
    return await finishLoop(record, { ...options, candidate });
  } finally {
    candidate.backend.close();
  }
}

/** Whether the last round found nothing to train on, where earlier ones did. */
function leftNothing({ rounds }: LoopRecord): boolean {
  return rounds.length > 1 && rounds.at(-1)?.model === null;
}

async function assembleRound(
  place: { round: number; latest: string | null; llm: string },
  count: number,
  { config, builtins, terminal, flags }: Loaded,
): Promise<RoundParts> {
  const rounds = { ...config.finetuning.rounds, count };
  const made = roundConfig({ ...config, finetuning: { ...config.finetuning, rounds } }, place);
  const training = assembleTraining(made, terminal, builtins.secrets);
  const parts = await assemble(made, {
    ...{ builtins, log: terminal, cache: false, output_dir: config.finetuning.output_dir },
    dataset_file: typeof flags.dataset === "string" ? flags.dataset : undefined,
  });
  return {
    parts,
    training,
    async close() {
      training.backend.close();
      await parts.close();
    },
  };
}

function needsMeasuring(file: string) {
  return usageError({
    code: "rounds_need_measuring",
    where: file,
    what: "rounds are compared by what the model does on held-out examples, and nothing here could measure that",
    fix: "add an evaluator under eval.evaluators, and name the trained llm in finetuning.target_model",
  });
}

function needsWaiting() {
  return usageError({
    code: "usage",
    where: "--no-wait",
    what: "a round begins when the one before has its model",
    fix: "leave out --no-wait (and wait_for_completion: false)",
  });
}
