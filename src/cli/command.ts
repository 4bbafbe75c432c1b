import { readFileSync } from "node:fs";
import type { Waiting } from "./stuck.ts";
import type { Terminal } from "./terminal.ts";

/** What a command gets: its arguments and flags as typed, and where to speak. */
export interface CommandInput {
  args: string[];
  flags: Record<string, unknown>;
  terminal: Terminal;
  /** Where a command notes what it waits for, for the case that it waits in vain. */
  waiting: Waiting;
}

/** A command's work: gives its exit code. Its file is loaded when it is called, not before. */
export type CommandRun = (input: CommandInput) => Promise<number>;

/** The version in package.json, which lies two folders up both in the source and in the package. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
