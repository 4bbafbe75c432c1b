/** Exit codes of the command line. `surface.md` of the design and README list the same ones. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  some_failed: 3,
  no_pairs: 4,
  training_failed: 5,
  unreachable: 6,
  gate_failed: 100,
  interrupted: 130,
} as const;

/** What an error knows about itself: where it happened, what was wrong, what to do about it. */
export interface ErrorFacts {
  /** Stable, `snake_case`: programs branch on this and never on the message. */
  code: string;
  /** File and line, key, endpoint or component. Never a key, a password or a prompt. */
  where?: string | undefined;
  what: string;
  fix?: string | undefined;
  exit_code?: number | undefined;
  cause?: unknown;
}

const BRAND = Symbol.for("pairwright.error");

/** The one base of all errors this program raises on purpose. Two copies of the package recognise each other's. */
export class PairwrightError extends Error {
  readonly [BRAND] = true;
  readonly code: string;
  readonly where: string | undefined;
  readonly what: string;
  readonly fix: string | undefined;
  readonly exit_code: number;

  constructor(facts: ErrorFacts) {
    super(
      facts.where === undefined ? facts.what : `${facts.where}: ${facts.what}`,
      facts.cause === undefined ? {} : { cause: facts.cause },
    );
    this.name = "PairwrightError";
    this.code = facts.code;
    this.where = facts.where;
    this.what = facts.what;
    this.fix = facts.fix;
    this.exit_code = facts.exit_code ?? EXIT.internal;
  }

  static is(error: unknown): error is PairwrightError {
    return typeof error === "object" && error !== null && BRAND in error;
  }
}

/** A fault of what the user typed or wrote: exit code 2. */
export function usageError(facts: Omit<ErrorFacts, "exit_code">): PairwrightError {
  return new PairwrightError({ ...facts, exit_code: EXIT.usage });
}

/** The sentence of whatever was thrown, cut to `limit` characters. */
export function messageOf(error: unknown, limit = 500): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

/** The `code` of a Node or pairwright error, if it has one. */
export function codeOf(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
