import { REDACTED } from "../lib/scrub.ts";
import type { Faults } from "./config-error.ts";
import { type MapNode, type ScalarNode, scalarsOf } from "./node.ts";
import { plainValue } from "./plain-value.ts";
import { isSecretName, type Secrets } from "./redact.ts";

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;
const UNCLOSED = /\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?$/;

export interface Expansion {
  env: Record<string, string | undefined>;
  /** Gets the values of variables whose names say that they are secret. */
  secrets: Secrets;
  faults: Faults;
}

/**
 * Puts variables in, scalar by scalar and once: what a variable holds is never looked through again and brings no YAML
 * with it. `:-` takes its default when the variable is unset or empty, as a shell does. A variable without a value is a
 * fault in a section that `isUsed`, and stays as it is written in any other.
 */
export function expandVariables(root: MapNode, isUsed: (section: string) => boolean, expansion: Expansion): void {
  for (const { scalar, path } of scalarsOf(root)) {
    const unset = expandScalar(scalar, expansion);
    if (unset.length === 0 || !isUsed(String(path[0]))) continue;
    for (const problem of unset)
      expansion.faults.add({ code: "unset_variable", place: scalar.place, path, ...problem });
  }
}

/** Expands one scalar in place. Gives back what has no value, if anything; the text then stays. */
export function expandScalar(scalar: ScalarNode, { env, secrets }: Expansion): { message: string; fix: string }[] {
  const written = scalar.text;
  if (typeof scalar.value !== "string" || !written.includes("${")) return [];
  const unset = new Set<string>();
  let shown = "";
  let hidden = false;
  let end = 0;
  const text = written.replace(VARIABLE, (whole: string, name: string, fallback: string | undefined, at: number) => {
    const set = env[name];
    const value = fallback !== undefined && (set === undefined || set === "") ? fallback : set;
    if (value === undefined) unset.add(name);
    const secret = value !== undefined && value !== "" && isSecretName(name);
    if (secret) secrets.add(value);
    hidden ||= secret;
    shown += written.slice(end, at) + (secret ? REDACTED : (value ?? whole));
    end = at + whole.length;
    return value ?? whole;
  });

  if (unset.size > 0) {
    scalar.unexpanded = true;
    return [...unset].map((name) => ({
      message: `the variable ${name} is not set`,
      fix: `set ${name}, or give a default: \${${name}:-value}`,
    }));
  }
  if (scalar.plain && UNCLOSED.test(written)) {
    // A comment sign or a line break inside ${…} ends an unquoted value early.
    return [{ message: "a variable here has no closing }", fix: "put the value in quotes" }];
  }
  if (end === 0) return [];
  scalar.text = text;
  scalar.value = scalar.plain ? plainValue(text) : text;
  scalar.retypable = true;
  if (hidden) scalar.redacted = shown + written.slice(end);
  return [];
}
