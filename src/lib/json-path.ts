import { usageError } from "./errors.ts";

/** A way into a JSON value: `$`, `$.a.b`, `$['a b'][0]`. Filters, slices and wildcards are refused by name. */
export function parseJsonPath(path: string): (value: unknown) => unknown {
  const keys: (string | number)[] = [];
  const token = /\.([A-Za-z_][\w-]*)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]/y;
  let at = 1;
  if (!path.startsWith("$")) throw badPath(path, "it must start with $");
  while (at < path.length) {
    token.lastIndex = at;
    const match = token.exec(path);
    if (!match) throw badPath(path, `"${path.slice(at)}" is not a member such as .name, ['name'] or [0]`);
    keys.push(match[2] === undefined ? (match[1] ?? match[3] ?? match[4] ?? "") : Number(match[2]));
    at = token.lastIndex;
  }
  return (value) => {
    let current = value;
    for (const key of keys) {
      if (typeof current !== "object" || current === null) return undefined;
      current = (current as Record<string | number, unknown>)[key];
    }
    return current;
  };
}

function badPath(path: string, what: string) {
  return usageError({
    code: "bad_json_path",
    where: path,
    what,
    fix: "write a path such as $.choices[0].text; wildcards, slices and filters are not known here",
  });
}
