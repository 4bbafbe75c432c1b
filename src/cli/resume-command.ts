import { isHidden } from "../config/original-text.ts";
import { parsePath } from "../config/overrides.ts";
import { maskUserinfo } from "../config/redact.ts";
import { REDACTED } from "../lib/scrub.ts";
import { splitOverride } from "./arguments.ts";
import { configFileOf } from "./load.ts";

const LEFT_OUT = ["resume", "configFile", "color", "json", "quiet", "verbose", "dryRun"];

/** The command that goes on with a run, for a shell; passwords and keys in it are for the user to fill in again. */
export function resumeCommand(
  command: string,
  args: readonly string[],
  flags: Record<string, unknown>,
  run_id: string,
): string {
  const words = ["pairwright", command, quoted(configFileOf(args, flags))];
  for (const [name, value] of Object.entries(flags)) {
    if (LEFT_OUT.includes(name)) continue;
    if (name === "cache") words.push("--no-cache");
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === true) words.push(flag);
      else if (one !== false && one !== undefined) words.push(flag, quoted(shown(name, String(one))));
    }
  }
  return [...words, "--resume", run_id].join(" ");
}

function shown(name: string, value: string): string {
  if (name === "override") {
    const [path] = splitOverride(value);
    if (isHidden(parsePath(path) ?? [])) return `${path}=${REDACTED}`;
  }
  return maskUserinfo(value);
}

function quoted(text: string): string {
  return /^[\w./:=@,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
