import { usageError } from "../../lib/errors.ts";

/** A control character, such as the end of a line: a comment of a script would end there, and so would an option. */
const CONTROL = /\p{Cc}/u;

/** Errors: `path_unusable` for a path that no script can name on one line. */
export function refuseControlCharacters(paths: readonly string[]): void {
  const unusable = paths.find((path) => CONTROL.test(path));
  if (unusable === undefined) return;
  throw usageError({
    code: "path_unusable",
    where: JSON.stringify(unusable),
    what: "this path has a control character in it, such as the end of a line, and scripts cannot name it",
    fix: "give the folder another name",
  });
}
