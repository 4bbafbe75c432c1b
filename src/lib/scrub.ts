import type { Logger } from "./log.ts";

/** Too short to be a key, and too likely to be part of a word. */
const SHORTEST_SECRET = 6;

/** A function that takes every one of these secrets out of a text, also in the form that JSON writes it in. */
export function scrubber(secrets: readonly string[]): (text: string) => string {
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret.length < SHORTEST_SECRET) continue;
    forms.add(secret);
    forms.add(JSON.stringify(secret).slice(1, -1));
  }
  const all = [...forms].sort((a, b) => b.length - a.length);
  if (all.length === 0) return (text) => text;
  return (text) => {
    let clean = text;
    for (const form of all) if (clean.includes(form)) clean = clean.replaceAll(form, "[redacted]");
    return clean;
  };
}

/** A log whose lines go through `scrub` first. */
export function scrubbedLogger(log: Logger, scrub: (text: string) => string): Logger {
  return {
    debug: (line) => log.debug(scrub(line)),
    info: (line) => log.info(scrub(line)),
    warn: (line) => log.warn(scrub(line)),
  };
}
