import { execFile } from "node:child_process";
import { EXIT, messageOf, PairwrightError } from "../../lib/errors.ts";
import { shellCommand } from "../../lib/shell-words.ts";
import type { StartCommand, Submitter } from "../../training/launch/launch-plan.ts";
import { hasTool } from "./find-tool.ts";

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
const MAX_OUTPUT = 1 << 20;

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
  const { error, stdout, stderr } = await execute(command, env, signal);
  signal.throwIfAborted();
  const [id, ...followed_by] = [...stdout.matchAll(IDS[submitter])].map(([, found]) => found ?? "");
  if (error !== null || id === undefined) throw submitFailed(command, id, error, stderr || stdout);
  return { submitter, id, followed_by };
}

function execute(command: StartCommand, env: SubmitOptions["env"], signal: AbortSignal) {
  const [program = "", ...args] = command.argv;
  const options = {
    ...{ cwd: command.cwd, env: { ...env, ...command.env } as NodeJS.ProcessEnv },
    ...{ timeout: LIMIT_MS, maxBuffer: MAX_OUTPUT, signal },
  };
  return new Promise<{ error: Error | null; stdout: string; stderr: string }>((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
  });
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

function submitFailed(command: StartCommand, id: string | undefined, error: Error | null, said: string) {
  const taken = id === undefined ? "" : `, after it took job ${id}`;
  const ended =
    error === null
      ? "it named no job"
      : "code" in error && typeof error.code === "number"
        ? `it ended with ${error.code}`
        : "killed" in error && error.killed === true
          ? "it did not end in time"
          : messageOf(error, 200);
  const last = said.trim().split("\n").slice(-3).join("; ");
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
