import { EXIT, PairwrightError } from "../lib/errors.ts";
import { formatPath, type Path, type Place } from "./node.ts";

/** One fault of a configuration, with its place. */
export interface ConfigProblem {
  /** Stable: `unknown_key`, `unset_variable`, `plugin`, and so on. */
  code: string;
  /** The file; for an override `-o` and its path. */
  file: string;
  /** From 1; null where there is no line, as with overrides and files that are not there. */
  line: number | null;
  column: number | null;
  /** The key's path; empty for the file as a whole. */
  path: string;
  message: string;
  fix?: string;
}

/** All that is wrong with a configuration, at once. Messages hold keys and names, never values that may be secret. */
export class ConfigError extends PairwrightError {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super({
      code: "config",
      where: file,
      what: `${count}\n${problems.map((problem) => `  ${formatProblem(problem)}`).join("\n")}`,
      exit_code: EXIT.usage,
    });
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** `file:line:col: key.path: what was wrong (what to do)`, on one line. */
export function formatProblem({ file, line, column, path, message, fix }: ConfigProblem): string {
  const place = line === null ? file : `${file}:${line}:${column ?? 1}`;
  // An override's own path says it already.
  const key = path === "" || file === `-o ${path}` ? "" : ` ${path}:`;
  return `${place}:${key} ${message}${fix === undefined ? "" : ` (${fix})`}`;
}

/** What is said of one fault while the file is checked. */
export interface Fault {
  code: string;
  place: Place;
  path: Path;
  message: string;
  fix?: string | undefined;
}

/** Collects faults instead of throwing them. */
export interface Faults {
  add(fault: Fault): void;
  readonly problems: readonly ConfigProblem[];
}

/** An empty list of faults. The same fault at the same place is kept once. */
export function collectFaults(): Faults {
  const problems = new Map<string, ConfigProblem>();
  return {
    add({ code, place, path, message, fix }) {
      const problem: ConfigProblem = {
        code,
        file: place.override === undefined ? place.file : `-o ${place.override}`,
        line: place.override === undefined ? place.line : null,
        column: place.override === undefined ? place.column : null,
        path: formatPath(path),
        message,
        ...(fix === undefined ? {} : { fix }),
      };
      problems.set(formatProblem(problem), problem);
    },
    get problems() {
      return [...problems.values()];
    },
  };
}
