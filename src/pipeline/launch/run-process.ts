import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { codeOf } from "../../lib/errors.ts";
import { endGroupAfterUs } from "./lifeline.ts";

export interface ProcessOptions {
  argv: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Gets all that it says, after what is there. */
  log: string;
  /** Asks it to end, as Ctrl-C does. */
  drain: AbortSignal;
  /** Asks again; what is still there after a while is killed. */
  stop: AbortSignal;
  onLine: (line: string, stream: "stdout" | "stderr") => void;
}

/** How a process ended. `code` is null when a signal ended it. */
export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const PATIENCE_MS = 10_000;

/**
 * Runs a program to its end in a process group of its own, so that Ctrl-C reaches this process alone, which passes it
 * on. Throws when the program cannot be started. Nothing of it outlives this process, not even where this is killed.
 */
export async function runProcess(options: ProcessOptions): Promise<ProcessEnd> {
  const { argv, cwd, env, log, drain, stop, onLine } = options;
  const [program = "", ...args] = argv;
  const file = createWriteStream(log, { flags: "a" });
  const child = spawn(program, args, {
    ...{ cwd, env: env as NodeJS.ProcessEnv, detached: true },
    stdio: ["ignore", "pipe", "pipe"],
  });
  using _lifeline = child.pid === undefined ? undefined : endGroupAfterUs(child.pid);
  /** To the whole group, which may outlive its first process. */
  const send = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch (error) {
      if (codeOf(error) !== "ESRCH") throw error;
    }
  };
  let patience: NodeJS.Timeout | undefined;
  const ask = () => send("SIGINT");
  const kill = () => send("SIGKILL");
  const insist = () => {
    send("SIGINT");
    patience ??= setTimeout(kill, PATIENCE_MS);
  };
  /** What it has started and left behind keeps its output open. */
  const clear = () => {
    if (drain.aborted) kill();
    else patience ??= setTimeout(kill, PATIENCE_MS);
  };
  drain.addEventListener("abort", ask, { once: true });
  stop.addEventListener("abort", insist, { once: true });
  process.once("exit", kill);
  try {
    for (const stream of ["stdout", "stderr"] as const) {
      eachLine(child[stream], (line) => {
        file.write(`${line}\n`);
        onLine(line, stream);
      });
    }
    const end = await new Promise<ProcessEnd>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", clear);
      child.once("close", (code, signal) => resolve({ code, signal }));
      if (drain.aborted) ask();
      if (stop.aborted) insist();
    });
    return end;
  } finally {
    clearTimeout(patience);
    drain.removeEventListener("abort", ask);
    stop.removeEventListener("abort", insist);
    process.off("exit", kill);
    file.end();
    await finished(file).catch(() => undefined);
  }
}

/** A carriage return ends a line, too: progress bars draw over themselves. */
function eachLine(stream: Readable, take: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (text) => {
    for (const line of text.split("\r")) if (line !== "") take(line);
  });
}
