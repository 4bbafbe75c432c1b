import type { Message } from "../records/message.ts";
import { LlmError } from "./llm-error.ts";
import type { WireReply } from "./wire-reply.ts";

/** A reply and the text that it was read from. */
export interface Answer {
  reply: WireReply;
  text: string;
}

/** Sends a request until there is an answer, or an error that is final. */
export type Ask = (body: string, messages: readonly Message[], signal: AbortSignal | undefined) => Promise<Answer>;

/** One call before it is sent. */
export interface Call {
  /** The request's fields as they go out. */
  request: Readonly<Record<string, unknown>>;
  /** The same as JSON. */
  body: string;
  messages: readonly Message[];
  signal: AbortSignal | undefined;
}

interface Waiting extends Call {
  seed: number;
  answer(answer: Promise<Answer> | Answer): void;
}

/** As many choices as one request of OpenAI's API may ask for. */
const MOST = 128;

/**
 * Sends calls of one moment that differ in their seed alone as one request: `n` is their number, `pairwright.seeds` holds
 * their seeds, and the choices are their replies in order. The embedded platform draws each choice as it would draw the
 * reply of a request of its own; another server draws as it likes. A server that refuses such requests, or gives too few
 * choices, is asked call by call. Calls with different signals never share a request.
 */
export function mergeCalls(ask: Ask): (call: Call) => Promise<Answer> {
  let is_refused = false;
  let waiting: Waiting[] = [];

  function flush(): void {
    const all = waiting;
    waiting = [];
    for (const group of groupsOf(all)) void send(group);
  }

  async function send(group: readonly Waiting[]): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    if (group.length === 1) return first.answer(alone(first));
    let answers: Answer[];
    try {
      answers = split(await ask(mergedBody(group), first.messages, first.signal), group.length);
    } catch (error) {
      if (!isRefusal(error)) return answerAll(group, () => Promise.reject(error as Error));
      answers = [];
    }
    const left = group.slice(answers.length).map((call) => ({ call, asked: alone(call) }));
    for (const [place, answer] of answers.entries()) group[place]?.answer(answer);
    for (const { call, asked } of left) call.answer(asked);
    // What is refused alone as well says nothing of merging.
    if (answers.length <= 1 && (await anyOf(left.map(({ asked }) => asked)))) is_refused = true;
  }

  const alone = ({ body, messages, signal }: Call) => ask(body, messages, signal);

  return (call) => {
    const { seed, n, pairwright } = call.request;
    if (is_refused || typeof seed !== "number" || (n ?? 1) !== 1 || pairwright !== undefined) return alone(call);
    return new Promise((answer) => {
      // Calls that are made together come within one turn of the event loop, each after some promises of its own.
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ ...call, seed, answer });
    });
  };
}

function groupsOf(calls: readonly Waiting[]): Waiting[][] {
  const open = new Map<AbortSignal | undefined, Map<string, Waiting[]>>();
  const groups: Waiting[][] = [];
  for (const call of calls) {
    const known = open.get(call.signal) ?? new Map<string, Waiting[]>();
    open.set(call.signal, known);
    const key = JSON.stringify({ ...call.request, seed: undefined });
    const group = known.get(key);
    if (group !== undefined && group.length < MOST) {
      group.push(call);
      continue;
    }
    const begun = [call];
    known.set(key, begun);
    groups.push(begun);
  }
  return groups;
}

function mergedBody(group: readonly Waiting[]): string {
  const seeds = group.map(({ seed }) => seed);
  return JSON.stringify({ ...group[0]?.request, n: group.length, pairwright: { seeds } });
}

function answerAll(group: readonly Waiting[], answer: () => Promise<Answer>): void {
  for (const call of group) call.answer(answer());
}

async function anyOf(asked: readonly Promise<Answer>[]): Promise<boolean> {
  const ended = await Promise.allSettled(asked);
  return ended.some(({ status }) => status === "fulfilled");
}

function isRefusal(error: unknown): boolean {
  return error instanceof LlmError && (error.status === 400 || error.status === 422);
}

/** An answer with a choice for each of so many calls; fewer where the server gave fewer. */
function split({ reply, text }: Answer, count: number): Answer[] {
  const { choices } = JSON.parse(text) as { choices: unknown[] };
  const given = Math.min(count, reply.choices.length);
  return reply.choices.slice(0, given).map((choice, place) => {
    const usage = usageShare(reply.usage, place, given);
    const own = { model: reply.model, choices: [choices[place]], usage };
    return { reply: { model: reply.model, choices: [choice], usage }, text: JSON.stringify(own) };
  });
}

/** The prompt was read once, for the first; tokens of replies are told as one sum, of which each has an equal share. */
function usageShare(usage: unknown, place: number, count: number): unknown {
  if (typeof usage !== "object" || usage === null) return usage;
  const { completion_tokens: made, ...rest } = usage as Record<string, unknown>;
  if (typeof made !== "number") return place === 0 ? usage : undefined;
  const share = Math.floor(made / count);
  const completion_tokens = place === 0 ? made - share * (count - 1) : share;
  if (place > 0) return { prompt_tokens: 0, completion_tokens };
  // The server's own total is that of all choices.
  const { total_tokens: _, ...prompt } = rest;
  return { ...prompt, completion_tokens };
}
