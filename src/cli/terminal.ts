import { PairwrightError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { scrubber } from "../lib/scrub.ts";

export interface TerminalOptions {
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  color: boolean;
}

/** Where a command speaks: people read stderr and stdout, programs read the one JSON object on stdout. */
export interface Terminal extends Logger {
  readonly options: TerminalOptions;
  /** Whether a line on stderr can be drawn over. */
  readonly live: boolean;
  /** Text for people, on stdout; with `--json` on stderr. */
  print(text: string): void;
  /** The command's result: the JSON object when `--json` asks for one. */
  result(value: unknown): void;
  /** The line at the bottom, drawn over by the next one; undefined takes it away. */
  status(line: string | undefined): void;
  error(error: unknown): void;
  /** The same for people alone, beside a result. */
  fault(error: PairwrightError): void;
  /** From now on these stand in nothing that is said here, whoever says it: plugins may, and so may a stack. */
  hide(secrets: readonly string[]): void;
}

export function createTerminal(
  options: TerminalOptions,
  streams: { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream } = process,
): Terminal {
  const { stdout, stderr } = streams;
  const live = stderr.isTTY === true && !options.quiet;
  const hidden: string[] = [];
  let scrub = scrubber(hidden);
  let drawn = false;

  function clear(): void {
    if (drawn) stderr.write("\r\u001b[K");
    drawn = false;
  }
  function say(text: string): void {
    clear();
    stderr.write(`${scrub(text)}\n`);
  }

  return {
    options,
    live,
    debug: (line) => void (options.verbose && say(paint(options, 2, line))),
    info: (line) => void (options.quiet || say(line)),
    warn: (line) => say(`${paint(options, 33, "warning")}: ${line}`),
    print(text) {
      clear();
      if (!options.quiet || !options.json) (options.json ? stderr : stdout).write(`${scrub(text)}\n`);
    },
    result(value) {
      clear();
      if (options.json) stdout.write(`${scrub(JSON.stringify(value))}\n`);
    },
    status(line) {
      if (!live) return;
      clear();
      if (line === undefined) return;
      stderr.write(scrub(line).slice(0, (stderr.columns || 80) - 1));
      drawn = true;
    },
    fault: (error) => say(describeError(error, options)),
    error(error) {
      say(describeError(error, options));
      if (options.json) stdout.write(`${scrub(JSON.stringify({ error: errorFacts(error) }))}\n`);
    },
    hide(secrets) {
      hidden.push(...secrets);
      scrub = scrubber(hidden);
    },
  };
}

/** `error[code]: where: what`, then what to do. A stack only with `--verbose`, or when the fault is ours. */
function describeError(error: unknown, options: TerminalOptions): string {
  const facts = errorFacts(error);
  const head = `${paint(options, 31, `error[${facts.code}]`)}: ${facts.where ? `${facts.where}: ` : ""}${facts.what}`;
  const fix = facts.fix ? `\n  fix: ${facts.fix}` : "";
  const stack = options.verbose && error instanceof Error ? `\n${error.stack ?? ""}` : "";
  return head + fix + stack;
}

function errorFacts(error: unknown): { code: string; where?: string; what: string; fix?: string } {
  if (PairwrightError.is(error)) {
    return {
      code: error.code,
      ...(error.where !== undefined && { where: error.where }),
      what: error.what,
      ...(error.fix !== undefined && { fix: error.fix }),
    };
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: "internal", what, fix: "this should not happen; run again with --verbose and report what it prints" };
}

function paint({ color }: TerminalOptions, code: number, text: string): string {
  return color ? `\u001b[${code}m${text}\u001b[0m` : text;
}
