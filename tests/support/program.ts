import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How a started program ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Started {
  child: ChildProcess;
  ended: Promise<Ended>;
  /** Resolves once stderr holds this text. */
  says(text: string): Promise<void>;
}

export interface StartOptions {
  cwd: string;
  /** On top of nothing but PATH and HOME: a key in the tester's own environment must decide no test. */
  env?: Record<string, string>;
}

/** The built program. */
export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Starts the built program, as a user would. */
export function startPairwright(args: readonly string[], { cwd, env = {} }: StartOptions): Started {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { PATH, HOME, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const says = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => stderr.includes(text) && resolve();
      look();
      child.stderr?.on("data", look);
      ended.then(() => reject(new Error(`it ended without saying "${text}": ${stderr}`)), reject);
    });
  return { child, ended, says };
}

/** Runs the built program to its end, in a process of its own. */
export function pairwright(args: readonly string[], options: StartOptions): Promise<Ended> {
  return startPairwright(args, options).ended;
}

/** The one JSON object that `--json` puts on stdout; anything else there is an error. */
export function jsonOf<T = Record<string, unknown>>({ stdout, stderr }: Ended): T {
  const lines = stdout.split("\n");
  if (lines.length !== 2 || lines[1] !== "") throw new Error(`stdout is not one line: ${stdout}\nstderr: ${stderr}`);
  const value: unknown = JSON.parse(lines[0] ?? "");
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`no object: ${stdout}`);
  return value as T;
}
