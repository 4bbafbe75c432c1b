import { EXIT, PairwrightError } from "../../lib/errors.ts";
import { shellCommand } from "../../lib/shell-words.ts";
import type { StartCommand, Submitter } from "../../training/launch/launch-plan.ts";
import { hasTool } from "./find-tool.ts";
import { howItEnded, lastWords, runTool, type Said } from "./run-tool.ts";

/** Who takes a job that another machine works at. */
export type Scheduler = Exclude<Submitter, "local">;

/** A job that a scheduler has taken, by the scheduler's own names. */
export interface LaunchJob {
  submitter: Scheduler;
  id: string;
  /** Of what runs after it, such as the merge of shards. */
  followed_by: string[];
}

export interface SubmitOptions {
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
}

const LIMIT_MS = 120_000;

/** How each scheduler tells the ids of what it took, one a match. */
const IDS: Readonly<Record<Scheduler, RegExp>> = {
  slurm: /^(?:Submitted batch job )?(\d+)(?:;\S+| on cluster \S+)?$/gm,
  ray: /Job '([^']+)' submitted successfully/g,
  kubernetes: /^(\S+\/\S+) (?:created|configured|replaced)\b/gm,
};

/**
 * Hands a job to its scheduler. Errors: `no_submitter` when its program is not there, `submit_failed` when it refuses,
 * with what it said.
 */
export async function submit(
  submitter: Scheduler,
  command: StartCommand,
  { env, signal }: SubmitOptions,
): Promise<LaunchJob> {
  if (!(await hasTool(command.tool, env))) throw noSubmitter(command);
  const { argv, cwd } = command;
  const said = await runTool(argv, { cwd, env: { ...env, ...command.env }, signal, limit_ms: LIMIT_MS });
  const [id, ...followed_by] = [...said.stdout.matchAll(IDS[submitter])].map(([, found]) => found ?? "");
  if (said.error !== null || id === undefined) throw submitFailed(command, id, said);
  return { submitter, id, followed_by };
}

/** What to type to start it: from its folder, with its variables. */
export function typedCommand({ argv, cwd, env }: StartCommand): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${shellCommand([value])}`);
  const line = [...variables, shellCommand(argv)].join(" ");
  return cwd === process.cwd() ? line : `cd ${shellCommand([cwd])} && ${line}`;
}

function noSubmitter(command: StartCommand): PairwrightError {
  return new PairwrightError({
    code: "no_submitter",
    where: command.tool,
    what: "this program is not on PATH: nothing was submitted; the files are written",
    fix: `where it is, type: ${typedCommand(command)}`,
    exit_code: EXIT.usage,
  });
}

function submitFailed(command: StartCommand, id: string | undefined, said: Said) {
  const taken = id === undefined ? "" : `, after it took job ${id}`;
  const ended = said.error === null ? "it named no job" : howItEnded(said.error);
  const last = lastWords(said);
  return new PairwrightError({
    code: "submit_failed",
    where: command.tool,
    what: `${ended}${taken}${last === "" ? "" : `: ${last}`}`,
    fix:
      id === undefined
        ? `when that is mended, type: ${typedCommand(command)}`
        : `what was taken goes on; hand in the rest by hand, as ${command.argv.at(-1)} would`,
    exit_code: EXIT.unreachable,
  });
}
