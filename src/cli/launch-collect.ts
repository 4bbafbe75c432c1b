import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { isHidden } from "../config/original-text.ts";
import { parsePath } from "../config/overrides.ts";
import { maskUserinfo } from "../config/redact.ts";
import { EXIT, PairwrightError, usageError } from "../lib/errors.ts";
import { assemblePairsAlone } from "../pipeline/assemble.ts";
import { counted, describePairs, faultOfPairs } from "../pipeline/describe-result.ts";
import { variablesOf } from "../pipeline/launch/config-variables.ts";
import { type CollectLaunchResult, launchCollect } from "../pipeline/launch/launch-collect.ts";
import { ownProgram } from "../pipeline/launch/own-program.ts";
import type { ShardResult } from "../pipeline/launch/run-shards.ts";
import { typedCommand } from "../pipeline/launch/submit.ts";
import { splitOverride } from "./arguments.ts";
import { type CommandInput, packageVersion } from "./command.ts";
import { wholeNumber } from "./flags.ts";
import { onInterrupt } from "./interrupt.ts";
import { watchCommand } from "./launch-watch.ts";
import { environment, list, loadConfigFor } from "./load.ts";
import { resumeCommand } from "./resume-command.ts";
import type { Terminal } from "./terminal.ts";

type Flags = CommandInput["flags"];
type Submit = "slurm" | "ray" | "kubernetes" | "local" | undefined;

/** What a shard works with; elsewhere variables may be set that are not set here. */
const USES_HERE = [
  ...(["llms", "functions", "ttc_strategies", "workflow", "eval"] as const),
  ...(["trajectory_builders", "split"] as const),
];
const USES_ELSEWHERE = ["trajectory_builders", "split"] as const;

/** `launch --on collect`: from the typed line to files, jobs or processes, and an exit code. */
export async function runLaunchCollect(input: CommandInput, submitter: Submit): Promise<number> {
  const { args, flags, terminal } = input;
  const here = submitter === "local" && flags.dryRun !== true;
  const { config, builtins } = await loadConfigFor({
    ...{ args, flags, terminal, uses: here ? USES_HERE : USES_ELSEWHERE },
  });
  refuseSecrets(flags);
  warnOfPlatform(config, submitter, terminal);
  const output_dir = resolve(config.eval.general.output_dir);
  const shards = wholeNumber(flags, "shards", 1);
  if (shards === undefined) throw missing("--shards", "the number of parts");
  const asked = askedOf(flags, { config_file: config.file, shards });
  using interrupt = onInterrupt(
    () => terminal.warn("stopping: letting what runs come to its end; Ctrl-C again to stop at once"),
    () => terminal.warn("stopping at once; Ctrl-C again to end the process, whatever still runs"),
  );
  const result = await launchCollect({
    ...{ output_dir, submitter, asked, dry_run: flags.dryRun === true, resume: resumeOf(flags) },
    ...{ drain: interrupt.drain, stop: interrupt.stop, env: await environment(), log: terminal, now: Date.now },
    launch: {
      ...{ shards, cwd: process.cwd(), config_file: config.file, program: ownProgram() },
      collect_flags: [...wordsOf(flags), ...collectWordsOf(flags)],
      merge_flags: wordsOf(flags),
      variables: await variablesOf(config),
    },
    pod: submitter === "kubernetes" ? podOf(flags) : undefined,
    version: packageVersion(),
    parts: assemblePairsAlone(config, { builtins, log: terminal }),
    onProgress: (line) => (terminal.live ? terminal.status(line) : terminal.info(line)),
  }).catch((error: unknown) => {
    throw interrupt.drain.aborted && !PairwrightError.is(error) ? interrupted(error) : error;
  });
  terminal.status(undefined);
  const { fault, dir } = result;
  if (result.job) terminal.info(`how it stands: ${watchCommand(input, "collect", dir)}`);
  if (fault === undefined || !GOES_ON.includes(fault.code)) return report(result, submitter, terminal);
  const fix = `${fault.fix}: ${resumeCommand("launch", args, flags, basename(dir))}`;
  return report({ ...result, fault: withFix(fault, fix) }, submitter, terminal);
}

/** Codes of what --resume goes on from. */
const GOES_ON: readonly string[] = ["interrupted", "shards_incomplete"];

function withFix({ code, where, what, exit_code }: PairwrightError, fix: string): PairwrightError {
  return new PairwrightError({ code, where, what, fix, exit_code });
}

function report(result: CollectLaunchResult, submitter: Submit, terminal: Terminal): number {
  const { dir, files, start, next, job, shards, merged, fault } = result;
  const command = typedCommand(start);
  terminal.print(describe(result, command, submitter));
  const pairsFault = merged && faultOfPairs(merged.pairs);
  for (const said of [fault, pairsFault]) if (said) terminal.fault(said);
  terminal.result({
    ...{ dir, files, command, job, ...(next !== undefined && { next }), ...(shards && { shards }) },
    ...(merged && { ...merged.pairs, output: merged.output }),
    ...(fault && { error: { code: fault.code, where: fault.where, what: fault.what, fix: fault.fix } }),
  });
  return fault?.exit_code ?? (shards && exitCodeOf(shards)) ?? pairsFault?.exit_code ?? EXIT.ok;
}

/** As one undivided `collect` would end whose examples these are; undefined when all of them ended well. */
function exitCodeOf(shards: readonly ShardResult[]): number | undefined {
  const codes = shards.map(({ exit_code, failed }) => exit_code ?? (failed > 0 ? EXIT.some_failed : EXIT.ok));
  if (codes.every((code) => code === EXIT.ok)) return undefined;
  return codes.every((code) => code === EXIT.unreachable) ? EXIT.unreachable : EXIT.some_failed;
}

function describe(result: CollectLaunchResult, command: string, submitter: Submit): string {
  const { dir, files, next, job, shards, merged } = result;
  const lines = [`launch folder: ${dir} (${counted(files.length, "file")})`];
  if (shards) {
    const sum = (name: "completed" | "failed") => shards.reduce((total, shard) => total + shard[name], 0);
    const failed = sum("failed") > 0 ? `, ${sum("failed")} failed` : "";
    lines.unshift(`${counted(sum("completed"), "example")} completed in ${counted(shards.length, "shard")}${failed}`);
    if (merged) lines.push(describePairs(merged.pairs, merged.output));
  } else if (job) {
    lines.push(`submitted to ${job.submitter}: ${[job.id, ...job.followed_by].join(", ")}`);
  } else {
    lines.push(`${submitter === undefined ? "to run it" : "to submit it"}, type: ${command}`);
  }
  if (next !== undefined) lines.push(`when it has ended, join the shards: ${next}`);
  return lines.join("\n");
}

/** Flags that both commands of a launch have. */
function wordsOf(flags: Flags): string[] {
  return [
    ...list(flags.override).flatMap((override) => ["-o", override]),
    ...list(flags.plugin).flatMap((plugin) => ["--plugin", plugin]),
  ];
}

function collectWordsOf(flags: Flags): string[] {
  const seed = wholeNumber(flags, "seed");
  const reps = wholeNumber(flags, "reps", 1);
  return [
    ...(seed === undefined ? [] : ["--seed", String(seed)]),
    ...(reps === undefined ? [] : ["--reps", String(reps)]),
    ...(typeof flags.dataset === "string" ? ["--dataset", datasetOf(flags.dataset)] : []),
  ];
}

function datasetOf(written: string): string {
  const path = resolve(written);
  if (existsSync(path)) return path;
  throw usageError({
    code: "no_such_file",
    where: path,
    what: "the data set is not there",
    fix: "check the path that --dataset names",
  });
}

function askedOf(flags: Flags, asked: Record<string, unknown>): Record<string, unknown> {
  const words = [...wordsOf(flags), ...collectWordsOf(flags)];
  return { ...asked, flags: words };
}

function resumeOf({ resume }: Flags): boolean | string {
  return typeof resume === "string" || resume === true ? resume : false;
}

function podOf(flags: Flags) {
  const { container, claim } = flags;
  if (typeof container !== "string") throw missing("--container", "an image that has pairwright on its PATH");
  if (typeof claim !== "string") throw missing("--claim", "the persistent volume claim that holds this folder");
  const at = claim.indexOf(":");
  const mount = at === -1 ? process.cwd() : resolve(claim.slice(at + 1));
  return { container, claim: at === -1 ? claim : claim.slice(0, at), mount };
}

/** What is written into a script must be no secret: a configuration has a variable for it. */
function refuseSecrets(flags: Flags): void {
  for (const override of list(flags.override)) {
    const [path, value] = splitOverride(override);
    const onlyVariable = /^\$\{\w+\}$/.test(value);
    if (onlyVariable || (!isHidden(parsePath(path) ?? []) && maskUserinfo(value) === value)) continue;
    throw usageError({
      code: "secret_in_script",
      where: `-o ${path}`,
      what: "this is a secret, which would stand in the files that are written",
      fix: `put it into a variable of the environment, and give -o ${path} '\${NAME}'`,
    });
  }
}

function warnOfPlatform(config: Config, submitter: Submit, terminal: Terminal): void {
  if (config.platform === undefined || submitter === undefined || submitter === "local") return;
  terminal.warn("platform: embedded is a platform of each machine's own: a model that it serves here is not there");
}

function missing(flag: string, what: string): PairwrightError {
  return usageError({ code: "usage", where: flag, what: "it is missing", fix: `give ${what}` });
}

function interrupted(cause: unknown): PairwrightError {
  return new PairwrightError({
    code: "interrupted",
    what: "stopped; what was submitted before goes on",
    fix: "give the same command with --resume",
    exit_code: EXIT.interrupted,
    cause,
  });
}
