import type { Message } from "../records/message.ts";
import { textOf } from "../records/message-text.ts";

const LIMIT = 200;
const LOOK_AT = 2_000;
/** Shorter common stretches are chance, or words that say what is wrong. */
const ECHO = 24;

/**
 * What a server says went wrong, cut to 200 characters: the message in its JSON, or the text itself. The secrets and
 * whatever it echoes of the prompt are taken out.
 */
export function serverWords(text: string, secrets: readonly string[], prompt: readonly Message[]): string {
  let words = messageIn(text.slice(0, 1 << 16));
  for (const secret of secrets) if (secret !== "") words = words.replaceAll(secret, "[secret]");
  words = withoutEcho(words.replace(/\s+/g, " ").trim().slice(0, LOOK_AT), prompt);
  return words.length > LIMIT ? `${words.slice(0, LIMIT)}…` : words;
}

function messageIn(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text.replace(/<[^>]*>/g, " ");
  }
  return found(value, 0) ?? "";
}

// The places where OpenAI, vLLM, FastAPI, NIM and gateways put it. Nothing else is shown: it might be the request.
function found(value: unknown, depth: number): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || depth > 3) return undefined;
  if (Array.isArray(value)) {
    const all = value.map((inner) => found(inner, depth + 1)).filter((inner) => inner !== undefined);
    return all.length === 0 ? undefined : all.join("; ");
  }
  for (const key of ["error", "message", "detail", "msg", "title"]) {
    const words = found((value as Record<string, unknown>)[key], depth + 1);
    if (words !== undefined) return words;
  }
  return undefined;
}

function withoutEcho(words: string, prompt: readonly Message[]): string {
  const asked = prompt.map((message) => textOf(message).replace(/\s+/g, " ").trim());
  const echoed = new Uint8Array(words.length);
  for (const text of asked) {
    const window = Math.min(ECHO, text.length);
    // A prompt of one or two words is no secret, and would blot out half a sentence.
    if (window < 8) continue;
    for (let start = 0; start + window <= words.length; start += 1) {
      if (text.includes(words.slice(start, start + window))) echoed.fill(1, start, start + window);
    }
  }
  let kept = "";
  for (let index = 0; index < words.length; index += 1) {
    if (echoed[index] === 0) kept += words[index];
    else if (index === 0 || echoed[index - 1] === 0) kept += "[prompt]";
  }
  return kept;
}
