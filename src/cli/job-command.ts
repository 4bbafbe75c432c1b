import { randomBytes } from "node:crypto";
import { systemClock } from "../lib/clock.ts";
import { EXIT, usageError } from "../lib/errors.ts";
import { assembleTraining } from "../pipeline/assemble-training.ts";
import type { FoundJob, JobsOptions } from "../pipeline/jobs.ts";
import { candidateConfig } from "../pipeline/loop/round-config.ts";
import type { CommandInput } from "./command.ts";
import { onInterrupt } from "./interrupt.ts";
import { loadConfigFor } from "./load.ts";

/** What the commands about jobs share: the configuration names the backend, and the folder of the runs. */
export async function withJobs(
  { flags, terminal }: CommandInput,
  work: (options: JobsOptions) => Promise<number>,
): Promise<number> {
  if (typeof flags.configFile !== "string") {
    throw usageError({
      code: "usage",
      what: "no configuration file was given: it says where the jobs are",
      fix: "name it with --config_file",
    });
  }
  const uses = ["trainers", "trainer_adapters", "finetuning", "platform"] as const;
  const { config, builtins } = await loadConfigFor({ args: [], flags, terminal, uses, connects: true });
  const training = assembleTraining(config, terminal, builtins.secrets);
  // With a gate, `finetune` deploys under the configured name when it has measured the model.
  const candidate = assembleTraining(candidateConfig(config), terminal, builtins.secrets);
  using interrupt = onInterrupt(() => terminal.warn("stopping; the job goes on"));
  try {
    return await work({
      ...{ training, candidate, wait: true, try_again: false, clock: systemClock, now: Date.now, log: terminal },
      ...{ drain: interrupt.drain, stop: interrupt.stop, nonce: randomBytes(3).toString("hex") },
      output_dir: config.finetuning.output_dir,
    });
  } catch (error) {
    if (!interrupt.drain.aborted) throw error;
    terminal.info("interrupted; the job goes on");
    return EXIT.interrupted;
  } finally {
    training.backend.close();
    candidate.backend.close();
  }
}

/** A job in one line: `cust-4f…  running, 40.0 %  -> ns/model  (run 2026-…)`. */
export function jobLine({ id, backend_status, progress, model, message, run_id }: FoundJob): string {
  const percent = progress === null ? "" : `, ${progress.toFixed(1)} %`;
  const parts = [id, `${backend_status}${percent}`, model && `-> ${model}`, message && `(${message})`];
  return [...parts, run_id && `run ${run_id}`].filter(Boolean).join("  ");
}
