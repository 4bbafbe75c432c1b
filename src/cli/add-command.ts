import type { Command } from "commander";
import type { CommandRun } from "./command.ts";

/** Loads a command's file, when it is called. */
export type Load = () => Promise<{ run: CommandRun }>;

/** Adds a command with the flags that all of them have. */
export type Add = (spec: string, description: string, load: Load, parent?: Command) => Command;

/** For flags that may be given often. */
export function collectValue(value: string, previous: string[]): string[] {
  return [...previous, value];
}
