import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { systemClock } from "../../lib/clock.ts";
import { EXIT, PairwrightError, usageError } from "../../lib/errors.ts";
import { assembleTraining, type TrainingParts } from "../../pipeline/assemble-training.ts";
import { describeJudged } from "../../pipeline/describe-judged.ts";
import { describePairs, faultOfPairs } from "../../pipeline/describe-result.ts";
import { describeRounds } from "../../pipeline/describe-rounds.ts";
import { stoppedError } from "../../pipeline/evaluate.ts";
import { refuseSettings } from "../../pipeline/finetune/refuse-settings.ts";
import { describeJob, type FinetuneResult } from "../../pipeline/finetune/run-job.ts";
import { finetune } from "../../pipeline/finetune.ts";
import { candidateConfig } from "../../pipeline/loop/round-config.ts";
import { describeTiming, StageTimes } from "../../pipeline/stage-times.ts";
import { type Loaded, runCollecting } from "../collecting.ts";
import type { CommandRun } from "../command.ts";
import { wholeNumber } from "../flags.ts";
import { jobFacts } from "../job-facts.ts";
import { measuringOf } from "../measuring-of.ts";
import { performRounds, type RoundsResult } from "../perform-rounds.ts";

export const FINETUNE_USES = [
  "llms",
  "functions",
  "ttc_strategies",
  "workflow",
  "eval",
  "trajectory_builders",
  "trainers",
  "trainer_adapters",
  "finetuning",
  "split",
  "platform",
] as const;

export const run: CommandRun = async (input) => {
  let training: TrainingParts | undefined;
  let candidate: TrainingParts | undefined;
  try {
    return await runCollecting<RoundsResult>(input, {
      command: "finetune",
      uses: FINETUNE_USES,
      prepare({ config, terminal, flags, builtins }) {
        refuseFlags(flags);
        refuseSettings(config, terminal, roundsOf({ config, flags }));
        training = assembleTraining(config, terminal, builtins.secrets);
        return config.finetuning.output_dir;
      },
      async perform(parts, options, loaded) {
        if (training === undefined) throw new TypeError("nothing was prepared");
        const { config, flags } = loaded;
        const count = roundsOf(loaded);
        const asked = {
          ...options,
          training,
          wait: flags.wait !== false && training.wait_for_completion,
          clock: systemClock,
          nonce: randomBytes(3).toString("hex"),
          times: new StageTimes(Date.now),
        };
        // From the start of the process: what comes before the first game is waited for as well.
        const timed = <R>(result: R) => ({ ...result, timing: asked.times.timing(performance.now() / 1000) });
        if (count > 1) return timed(await performRounds(count, asked, loaded));
        const held_out = flags.validationDataset === undefined ? config.finetuning.held_out : 0;
        candidate = assembleTraining(candidateConfig(config), loaded.terminal, loaded.builtins.secrets);
        return timed(await finetune(parts, { ...asked, held_out, measuring: measuringOf(loaded), candidate }));
      },
      report,
      json,
      fault: (result) => result.fault,
      stopped,
      exitCode({ pairs, verdict, gate }) {
        const fault = pairs && faultOfPairs(pairs);
        if (fault) return fault.exit_code;
        // Without waiting there is no model to judge yet: `--resume` gives the verdict.
        const waits = input.flags.wait !== false && training?.wait_for_completion !== false;
        const decides = waits && (gate === "exit" || input.flags.gate === true);
        return decides && verdict?.promoted !== true ? EXIT.gate_failed : EXIT.ok;
      },
    });
  } finally {
    training?.backend.close();
    candidate?.backend.close();
  }
};

function roundsOf({ config, flags }: Pick<Loaded, "config" | "flags">): number {
  return wholeNumber(flags, "rounds", 1) ?? config.finetuning.rounds.count;
}

function refuseFlags(flags: Loaded["flags"]): void {
  const refuse = (flag: string, what: string, fix: string) => {
    throw usageError({ code: "not_supported", where: flag, what, fix });
  };
  if (flags.shard !== undefined) {
    refuse(
      "--shard",
      "a finetune trains on all of the data set",
      "collect in shards, and join them with `pairs merge`",
    );
  }
  const { validationDataset: file } = flags;
  if (typeof file === "string" && !existsSync(file)) {
    throw usageError({
      code: "no_such_file",
      where: resolve(file),
      what: "the validation data set is not there",
      fix: "check the path that --validation_dataset names",
    });
  }
}

function report(result: RoundsResult): string | undefined {
  const { pairs, run_dir, completed, job, rounds, timing } = result;
  if (completed === 0 || (pairs === undefined && rounds === undefined)) return undefined;
  const parts = [
    pairs && describePairs(pairs, run_dir),
    job && describeJob(job),
    rounds && describeRounds(rounds),
    describeJudged(result),
    timing && describeTiming(timing),
  ];
  return parts.filter((part) => part !== undefined).join("\n\n");
}

function json({ pairs, job, fault, verdict, ...result }: RoundsResult): unknown {
  return {
    ...result,
    ...pairs,
    ...(verdict && { promoted: verdict.promoted, verdict }),
    ...(job && { job: jobFacts(job), model: job.model, deployment: job.deployment }),
    ...(fault && { error: { code: fault.code, where: fault.where, what: fault.what, fix: fault.fix } }),
  };
}

/** Interrupted while examples ran, or while a job did: that one goes on without us. */
function stopped(result: FinetuneResult, resume_command: string): PairwrightError {
  const { job } = result;
  if (job === undefined) return stoppedError(result, resume_command);
  return new PairwrightError({
    code: "interrupted",
    where: result.run_dir,
    what: job.id === null ? "interrupted while the job was submitted" : `interrupted; training job ${job.id} goes on`,
    fix: `go on with: ${resume_command}`,
    exit_code: EXIT.interrupted,
  });
}
