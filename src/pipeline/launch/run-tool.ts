import { execFile } from "node:child_process";
import { messageOf } from "../../lib/errors.ts";

export interface ToolOptions {
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
  limit_ms: number;
}

/** What a program of a scheduler said. `error` is null when it ended well. */
export interface Said {
  error: Error | null;
  stdout: string;
  stderr: string;
}

const MAX_OUTPUT = 1 << 20;

/** Runs a program that is to end soon. Throws when the signal is aborted, and in no other case. */
export async function runTool(argv: readonly string[], { cwd, env, signal, limit_ms }: ToolOptions): Promise<Said> {
  const [program = "", ...args] = argv;
  const options = { cwd, env: env as NodeJS.ProcessEnv, timeout: limit_ms, maxBuffer: MAX_OUTPUT, signal };
  const said = await new Promise<Said>((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
  });
  signal.throwIfAborted();
  return said;
}

/** How a program ended that did not end well. */
export function howItEnded(error: Error): string {
  if ("code" in error && typeof error.code === "number") return `it ended with ${error.code}`;
  return "killed" in error && error.killed === true ? "it did not end in time" : messageOf(error, 200);
}

/** The last words of a program, on one line. */
export function lastWords({ stdout, stderr }: Said): string {
  return (stderr || stdout).trim().split("\n").slice(-3).join("; ");
}
