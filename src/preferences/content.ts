import { canonicalJson, type Digest, digestOf, sha256 } from "../lib/hash.ts";
import type { Message, Tool } from "../records/message.ts";

/**
 * Messages as one text that is equal exactly when the messages say the same: JSON with sorted keys. The ids of tool
 * calls, which a server draws anew for each reply, give way to their place among the calls.
 */
export function contentOf(messages: readonly Message[]): string {
  let text = "[";
  let ids: Map<string, number> | undefined;
  for (const message of messages) {
    if (text.length > 1) text += ",";
    if (message.tool_calls !== undefined || message.tool_call_id !== undefined) {
      ids ??= new Map();
      text += canonicalJson(withoutIds(message, ids));
    } else if (typeof message.content !== "string") {
      text += canonicalJson(message);
    } else {
      text += plainMessage(message, message.content);
    }
  }
  return `${text}]`;
}

/** SHA-256 of a content's text. */
export function contentHash(messages: readonly Message[]): string {
  return sha256(contentOf(messages));
}

/** The beginning of `contentHash`: what a pair's id is made of. */
export function contentDigest(messages: readonly Message[]): Digest {
  return digestOf(contentOf(messages));
}

/** What a model was asked, as one text: the prompt's content, and the tools where there are any. */
export function questionOf(prompt: readonly Message[], tools: readonly Tool[] | undefined): string {
  return tools === undefined ? contentOf(prompt) : contentOf(prompt) + toolsText(tools);
}

/** SHA-256 of what a model was asked. Without tools it is that of the prompt. */
export function questionHash(prompt: readonly Message[], tools: readonly Tool[] | undefined): string {
  return sha256(questionOf(prompt, tools));
}

/** The beginning of `questionHash`. */
export function questionDigest(prompt: readonly Message[], tools: readonly Tool[] | undefined): Digest {
  return digestOf(questionOf(prompt, tools));
}

/** Whether the same tools were offered, however their fields are ordered. */
export function sameTools(a: readonly Tool[] | undefined, b: readonly Tool[] | undefined): boolean {
  if (a === b) return true;
  return a !== undefined && b !== undefined && a.length === b.length && toolsText(a) === toolsText(b);
}

/** Most turns of a run offer the same few tools, as equal texts if not as one object. */
let lastTools: { written: string; sorted: string } | undefined;

function toolsText(tools: readonly Tool[]): string {
  const written = JSON.stringify(tools);
  if (lastTools?.written !== written) lastTools = { written, sorted: canonicalJson(tools) };
  return lastTools.sorted;
}

/** The id of a pair, from the digests of its question and its two replies: 128 bits in hexadecimal. */
export function pairId(question: Digest, chosen: Digest, rejected: Digest): string {
  for (let part = 0; part < 4; part += 1) ID.writeInt32BE(pairIdPart(part, question, chosen, rejected), part * 4);
  return ID.toString("hex");
}

const ID = Buffer.alloc(16);

/**
 * One of the four parts of a pair's id. Each part of three digests is mixed by itself, in a way that can be undone when
 * the other two are known (the last step of MurmurHash3): so two pairs have one id no sooner than two digests are one.
 */
export function pairIdPart(part: number, question: Digest, chosen: Digest, rejected: Digest): number {
  const asked = mix(question[part] ?? 0) ^ (chosen[part] ?? 0);
  return mix(mix(asked) ^ (rejected[part] ?? 0));
}

function mix(bits: number): number {
  let mixed = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** Whether two lists of messages have the same content. */
export function sameContent(a: readonly Message[], b: readonly Message[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) {
    const left = a[index];
    const right = b[index];
    if (left === undefined || right === undefined || !isPlain(left) || !isPlain(right)) {
      return contentOf(a) === contentOf(b);
    }
    if (left.content !== right.content || left.role !== right.role) return false;
    if (left.name !== right.name || left.reasoning !== right.reasoning) return false;
  }
  return true;
}

/** Whether there is nothing in a reply: no text but white space, and no call of a tool. */
export function isBlank(messages: readonly Message[]): boolean {
  return messages.every(
    ({ role, content, tool_calls }) =>
      role !== "assistant" ||
      (tool_calls === undefined && (typeof content === "string" ? content.trim() === "" : content.length === 0)),
  );
}

function isPlain(message: Message): boolean {
  return typeof message.content === "string" && message.tool_calls === undefined && message.tool_call_id === undefined;
}

/** What `canonicalJson` gives for a message of texts, in a fifth of the time: this runs for every candidate. */
function plainMessage({ role, name, reasoning }: Message, content: string): string {
  let text = `{"content":${JSON.stringify(content)}`;
  if (name !== undefined) text += `,"name":${JSON.stringify(name)}`;
  if (reasoning !== undefined) text += `,"reasoning":${JSON.stringify(reasoning)}`;
  return `${text},"role":"${role}"}`;
}

function withoutIds(message: Message, ids: Map<string, number>): unknown {
  const calls = message.tool_calls?.map(({ id, ...call }) => {
    if (id !== undefined && !ids.has(id)) ids.set(id, ids.size);
    return call;
  });
  const answered = message.tool_call_id;
  return {
    ...message,
    tool_calls: calls,
    tool_call_id: answered === undefined ? undefined : (ids.get(answered) ?? answered),
  };
}
