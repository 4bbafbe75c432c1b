import { basename } from "node:path";
import type { Config } from "../config/config.ts";
import { redactText, userinfoSecrets } from "../config/redact.ts";
import type { Section } from "../config/schema.ts";
import { EXIT, type PairwrightError } from "../lib/errors.ts";
import { keepHeapLow } from "../lib/heap.ts";
import { parseJsonPath } from "../lib/json-path.ts";
import { assemble } from "../pipeline/assemble.ts";
import type { Builtins } from "../pipeline/builtin-registry.ts";
import { describeEstimate, describeScores, faultOf } from "../pipeline/describe-result.ts";
import { estimate } from "../pipeline/estimate.ts";
import { type EvaluateResult, stoppedError } from "../pipeline/evaluate.ts";
import type { Parts } from "../pipeline/parts.ts";
import type { RunOptions } from "../pipeline/run-options.ts";
import { type CommandInput, packageVersion } from "./command.ts";
import { exitCodeOf } from "./exit-code.ts";
import { number, shardOf, wholeNumber } from "./flags.ts";
import { type Interrupt, onInterrupt } from "./interrupt.ts";
import { loadConfigFor } from "./load.ts";
import { progressLine } from "./progress-line.ts";
import { resumeCommand } from "./resume-command.ts";
import type { Terminal } from "./terminal.ts";

export interface Collecting<R extends EvaluateResult> {
  command: string;
  uses: readonly Section[];
  perform(parts: Parts, options: RunOptions, loaded: Loaded): Promise<R>;
  /** What the configuration must have for this command, before anything is spent; gives the folder of the results. */
  prepare?(loaded: Loaded): string;
  /** Why the result is less than was asked for. */
  fault?(result: R): PairwrightError | undefined;
  /** The error of a run that was stopped, where `--resume` goes on with more than examples. */
  stopped?(result: R, resume_command: string): PairwrightError;
  /** More for people to read, after the scores. */
  report(result: R): string | undefined;
  exitCode(result: R): number;
  /** The JSON object, where it is not the result itself. */
  json?(result: R): unknown;
}

/** A configuration, and the table and log that it is worked with. */
export interface Loaded {
  config: Config;
  builtins: Builtins;
  terminal: Terminal;
  flags: Record<string, unknown>;
}

/** What `eval`, `collect` and `finetune` share: from the typed line to parts, a run, a summary and an exit code. */
export async function runCollecting<R extends EvaluateResult>(
  input: CommandInput,
  what: Collecting<R>,
): Promise<number> {
  keepHeapLow();
  const flags = settleResume(input);
  const { args, terminal } = input;
  const { config, builtins } = await loadConfigFor({
    ...{ args, flags, terminal, uses: what.uses },
    connects: flags.dryRun !== true,
  });
  const endpoint = endpointOf(flags);
  if (endpoint) terminal.hide(userinfoSecrets(endpoint.url));
  const loaded = { config, builtins, terminal, flags };
  const parts = await assemble(config, {
    builtins,
    output_dir: what.prepare?.(loaded),
    log: terminal,
    // A dry run calls no model, and leaves the disk as it was.
    cache: flags.cache !== false && flags.dryRun !== true,
    dataset_file: typeof flags.dataset === "string" ? flags.dataset : undefined,
    endpoint,
  });
  try {
    if (flags.dryRun === true) return await dryRun(parts, flags, terminal);
    using interrupt = onInterrupt(
      () => terminal.warn("stopping: letting what runs come to its end; Ctrl-C again to stop at once"),
      () => terminal.warn("stopping at once; Ctrl-C again to end the process, whatever still runs"),
    );
    const result = await perform(input, loaded, what, parts, interrupt);
    if (result.stopped) {
      throw (what.stopped ?? stoppedError)(result, resumeCommand(what.command, args, flags, basename(result.run_dir)));
    }
    const text = [describeScores(result), what.report(result)].filter((part) => part !== undefined).join("\n");
    terminal.print(text);
    const fault = what.fault?.(result) ?? faultOf(result);
    if (fault) terminal.fault(fault);
    terminal.result(what.json ? what.json(result) : result);
    return exitCodeOf(result, {
      fault: what.fault?.(result),
      own: what.exitCode(result),
      max_failures: wholeNumber(flags, "maxFailures") ?? 0,
    });
  } finally {
    await parts.close();
  }
}

async function perform<R extends EvaluateResult>(
  { terminal, waiting }: CommandInput,
  loaded: Loaded,
  what: Collecting<R>,
  parts: Parts,
  interrupt: Interrupt,
): Promise<R> {
  const { flags } = loaded;
  const running = new Set<string>();
  waiting.for = () => describeRunning(running);
  const line = progressLine(terminal, Date.now);
  try {
    const options = {
      ...runOptions(flags),
      command: what.command,
      version: packageVersion(),
      drain: interrupt.drain,
      stop: interrupt.stop,
      log: terminal,
      now: Date.now,
      onTotal(total: number) {
        line.total(total);
        warnIfEmpty(total, flags, terminal);
      },
      onProgress: line.show,
    };
    return await what.perform(noting(running, parts), options, loaded);
  } finally {
    line.end();
  }
}

/** The same parts, with the ids of the examples that are inside the workflow kept in `running`. */
function noting(running: Set<string>, parts: Parts): Parts {
  const { name, run } = parts.workflow;
  return {
    ...parts,
    workflow: {
      name,
      async run(input, context) {
        const { example, rep } = context;
        const key = rep === 0 ? example.id : `${example.id} (repetition ${rep})`;
        running.add(key);
        try {
          return await run(input, context);
        } finally {
          running.delete(key);
        }
      },
    },
  };
}

function describeRunning(running: ReadonlySet<string>): string {
  if (running.size === 0) return "no example is running; an evaluator or another part has never settled";
  const some = [...running].slice(0, 5).map((key) => `"${key}"`);
  const more = running.size > some.length ? ` and ${running.size - some.length} more` : "";
  return `the workflow has never settled for ${some.join(", ")}${more}; --resume goes on with what is missing`;
}

function warnIfEmpty(examples: number, flags: Record<string, unknown>, terminal: Terminal): void {
  const shard = shardOf(flags);
  if (shard && examples === 0) {
    terminal.warn(`shard ${shard.index}/${shard.of} holds no examples: there are fewer than ${shard.index}`);
  }
}

function runOptions(flags: Record<string, unknown>) {
  const path = typeof flags.resultJsonPath === "string" ? flags.resultJsonPath : "$";
  return {
    seed: wholeNumber(flags, "seed") ?? 0,
    reps: wholeNumber(flags, "reps", 1) ?? 1,
    shard: shardOf(flags),
    max_cost: number(flags, "maxCost"),
    max_failures: wholeNumber(flags, "maxFailures"),
    policy_only: flags.policyOnly === true,
    skip_workflow: flags.skipWorkflow === true,
    skip_completed_entries: flags.skipCompletedEntries === true,
    ...(path !== "$" && { result_of: parseJsonPath(path), result_json_path: path }),
    ...(typeof flags.endpoint === "string" && { endpoint: redactText(flags.endpoint) }),
    ...(typeof flags.resume === "string" || flags.resume === true ? { resume: flags.resume } : {}),
  };
}

function endpointOf(flags: Record<string, unknown>): { url: string; timeout_seconds: number } | undefined {
  if (typeof flags.endpoint !== "string") return undefined;
  return { url: flags.endpoint, timeout_seconds: number(flags, "endpointTimeout", 0.001) ?? 300 };
}

async function dryRun(parts: Parts, flags: Record<string, unknown>, terminal: Terminal): Promise<number> {
  const { reps, shard } = runOptions(flags);
  const result = await estimate(parts, { reps, shard });
  warnIfEmpty(result.examples, flags, terminal);
  terminal.print(describeEstimate(result));
  terminal.result(result);
  return EXIT.ok;
}

/** `--resume config.yml` means the newest run: an optional value must not swallow the configuration. */
function settleResume({ args, flags }: CommandInput): Record<string, unknown> {
  if (typeof flags.resume !== "string" || args.length > 0 || flags.configFile !== undefined) return flags;
  return { ...flags, resume: true, configFile: flags.resume };
}
