import { REDACTED } from "../lib/scrub.ts";
import { type MapNode, type Path, scalarsOf } from "./node.ts";
import { hidesMembers, isSecretName, redactText } from "./redact.ts";
import { NAMED_SECTIONS } from "./schema.ts";

const ONLY_A_VARIABLE = /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/;
const SETTING = /([\w.-]+)(["']?\s*[:=]\s*)(\S+)/g;

/** A file's text with the values of members that are named like secrets cut out, in comments too. `${VAR}` stays. */
export function withoutSecrets(text: string, root: MapNode): string {
  const ranges = new Map<number, number>();
  for (const { scalar, path } of scalarsOf(root)) {
    if (scalar.range === undefined || scalar.value === "" || typeof scalar.value === "boolean") continue;
    if (isHidden(path) && !ONLY_A_VARIABLE.test(scalar.text)) ranges.set(...scalar.range);
  }
  let safe = text;
  // From the end, so that the places before stay right.
  for (const [start, end] of [...ranges].sort((a, b) => b[0] - a[0])) {
    const gap = safe.slice(start, end).endsWith("\n") ? "\n" : "";
    safe = `${safe.slice(0, start)}"${REDACTED}"${gap}${safe.slice(end)}`;
  }
  const lines = safe.split("\n").map((line) => {
    const comment = /(^|\s)#/.exec(line);
    if (!comment) return line;
    return line.slice(0, comment.index) + line.slice(comment.index).replace(SETTING, hideSetting);
  });
  return redactText(lines.join("\n"));
}

function hideSetting(whole: string, name: string, sign: string, value: string): string {
  return isSecretName(name) && !ONLY_A_VARIABLE.test(value) ? `${name}${sign}${REDACTED}` : whole;
}

/** Whether any key on the way says that the value is secret; the names of components are no keys. */
export function isHidden(path: Path): boolean {
  const named = path[0] === "eval" ? path[1] === "evaluators" : NAMED_SECTIONS.some((section) => section === path[0]);
  const keys = named ? path.slice(path[0] === "eval" ? 3 : 2) : path;
  return keys.some((key) => typeof key === "string" && hidesMembers(key));
}
