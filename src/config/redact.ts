import { looksLikeKey, REDACTED } from "../lib/scrub.ts";

/** Values that must be shown nowhere. */
export type Secrets = Set<string>;

const SECRET_NAME =
  /(^|_)(key|api_?keys|token|auth|authorization|pwd|passphrase|bearer|cookie)(_?\d+)?$|(^|_)(api_?key|secrets?|passwords?|passwd|credentials?|private_key|access_key|(access|auth|api|hf|refresh|bearer)_token)(_|$)/;
/** Names of columns and of a vocabulary's marks end in the same words. */
const HARMLESS =
  /(^|_)(id|question|answer|trajectory|group|prompt|chosen|rejected|response|completion|input|output|text|message|messages|label|score|reward|context|field|column|row|sort|cache|primary|foreign|public|dict|map)_keys?$|(^|_)(eos|bos|pad|unk|sep|cls|mask|stop|special|image|max|min|num|per|first|last|next|new)_token$/;
const HEADERS = /(^|_)headers?$/;
/** Headers whose values are ordinary words, such as `application/json`: hidden where they stand, searched for nowhere. */
const ORDINARY_HEADER =
  /^(accept(-.*)?|cache-control|connection|content-.*|host|(http-)?referer|origin|user-agent|x-title)$/i;
const USERINFO = /([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi;
const QUERY = /([?&](?:[a-z_-]*api[_-]?key|key|[a-z_-]*token|[a-z_-]*secret|password|sig|signature)=)[^&\s#]+/gi;

/** Whether a key or a variable of this name holds something to keep to oneself: `api_key`, `HF_TOKEN`, `apiKey`. */
export function isSecretName(name: string): boolean {
  const snake = name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[-.\s]/g, "_")
    .toLowerCase();
  return SECRET_NAME.test(snake) && !HARMLESS.test(snake);
}

/** Whether a member of this name holds secrets, or is a map of headers, any of which may. */
export function hidesMembers(name: string): boolean {
  return isSecretName(name) || HEADERS.test(name.toLowerCase().replaceAll("-", "_"));
}

/** Whether a hidden value may be looked for in other texts, too. */
export function isSearchedFor(name: string): boolean {
  return !ORDINARY_HEADER.test(name);
}

/** The text with a mark for the user and password of its URLs: fit for a command that is to be completed by hand. */
export function maskUserinfo(text: string): string {
  return text.replace(USERINFO, `$1${REDACTED}@`);
}

/** The passwords of the URLs in a text, as written, decoded, and as Basic authorization sends them. */
export function userinfoSecrets(text: string): string[] {
  return [...text.matchAll(USERINFO)].flatMap(([url]) => {
    const at = url.indexOf("://") + "://".length;
    const [user = "", ...rest] = url.slice(at, -1).split(":");
    const password = rest.join(":");
    if (password === "") return [];
    const decoded = decodedOrAsIs(password);
    return [password, decoded, Buffer.from(`${decodedOrAsIs(user)}:${decoded}`).toString("base64")];
  });
}

function decodedOrAsIs(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The text without those of the given secrets that `looksLikeKey`, and without what URLs carry before `@` or in a key's parameter. */
export function redactText(text: string, secrets: Iterable<string> = []): string {
  let safe = text;
  // Longest first, so that a secret inside another does not leave the other's ends.
  const searched = [...secrets].filter(looksLikeKey);
  for (const secret of searched.sort((a, b) => b.length - a.length)) safe = safe.replaceAll(secret, REDACTED);
  return safe.replace(USERINFO, "$1").replace(QUERY, `$1${REDACTED}`);
}

/**
 * A copy with nothing secret in it: members named like one, header values, user names and passwords in URLs, and the
 * given secrets wherever they stand. Empty texts stay, so that a reader sees that nothing was set.
 */
export function redact(value: unknown, secrets: Iterable<string> = []): unknown {
  return redactInside(value, [...secrets], false);
}

function redactInside(value: unknown, secrets: readonly string[], hidden: boolean): unknown {
  if (typeof value === "string") return hidden && value !== "" ? REDACTED : redactText(value, secrets);
  if (typeof value === "number" && hidden) return REDACTED;
  if (Array.isArray(value)) return value.map((item) => redactInside(item, secrets, hidden));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, redactInside(member, secrets, hidden || hidesMembers(key))]),
  );
}
