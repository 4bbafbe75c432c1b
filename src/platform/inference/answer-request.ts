import type { ServerResponse } from "node:http";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { TextReply } from "../../engine/generate/served-reply.ts";
import type { TextRequest } from "../../engine/generate/text-service.ts";
import { openAiBody } from "../http/fault-response.ts";
import { HttpFault } from "../http/http-fault.ts";
import type { PlatformContext } from "../platform-context.ts";
import { type AnswerForm, type AnswerHead, usageOf } from "./answers.ts";
import { CLIENT_LEFT, clientSignal } from "./client-signal.ts";
import { answerEvents, answerJson, type EventAnswer } from "./direct-answer.ts";
import { inferenceFault } from "./inference-fault.ts";
import type { ServedModel } from "./model-names.ts";
import type { ModelPool } from "./model-pool.ts";

/** A request that has been understood. */
export interface Asked {
  form: AnswerForm;
  head: AnswerHead;
  model: ServedModel;
  requests: TextRequest[];
  stream: boolean;
  include_usage: boolean;
  /** Each choice begins with its prompt. */
  echo: boolean;
}

/** What answers requests. */
export interface Serving {
  pool: ModelPool;
  context: PlatformContext;
}

/** Runs a request and answers it, at once or as a stream. A client that leaves ends it. */
export async function answerRequest(outgoing: ServerResponse, asked: Asked, serving: Serving): Promise<Response> {
  const { signal, done } = clientSignal(outgoing);
  try {
    if (asked.stream) return await streamed(asked, serving, signal, answerEvents(outgoing));
    const replies = await generate(asked, serving, signal);
    const shown = asked.echo ? withPrompts(asked.requests, replies) : replies;
    return answerJson(outgoing, asked.form.whole(asked.head, shown));
  } catch (error) {
    if (signal.reason !== CLIENT_LEFT) throw error;
    // Nobody reads it; the status is for the figures.
    return outgoing.headersSent ? RESPONSE_ALREADY_SENT : new Response(null, { status: 499 });
  } finally {
    done();
  }
}

async function generate(
  { model, requests }: Asked,
  { pool, context: { metrics } }: Serving,
  signal: AbortSignal,
  on_text?: (text: string, choice: number) => void,
): Promise<TextReply[]> {
  const { n = 1 } = requests[0] ?? {};
  const replies = await pool.generate(model, requests, {
    signal,
    on_text: on_text && (({ index, text }, place) => on_text(text, place * n + index)),
  });
  // The engine gives what an aborted request holds.
  signal.throwIfAborted();
  const { prompt_tokens, completion_tokens } = usageOf(replies);
  metrics.tokens.inc({ model: model.id, kind: "prompt" }, prompt_tokens);
  metrics.tokens.inc({ model: model.id, kind: "completion" }, completion_tokens);
  return replies;
}

async function streamed(asked: Asked, serving: Serving, signal: AbortSignal, events: EventAnswer): Promise<Response> {
  const { form, head, include_usage } = asked;
  const show = (chunk: object) => events.send(include_usage ? { ...chunk, usage: null } : chunk);
  const begin = once(() => {
    for (const chunk of beginnings(asked)) show(chunk);
  });
  try {
    const replies = await generate(asked, serving, signal, (text, choice) => {
      begin();
      show(form.piece(head, choice, text));
    });
    begin();
    const completions = replies.flatMap((reply) => reply.completions);
    for (const [choice, completion] of completions.entries()) show(form.end(head, choice, completion));
    if (include_usage) events.send(form.usage(head, replies));
  } catch (error) {
    if (!events.begun || signal.reason === CLIENT_LEFT) throw error;
    events.send(openAiBody(faultOf(error, serving.context)) as object);
  }
  return events.end();
}

/** What stands before the first piece of each choice. */
function beginnings({ form, head, requests, echo }: Asked): object[] {
  return requests.flatMap(({ n = 1, prompt }, place) =>
    Array.from({ length: n }, (_, index) => place * n + index).flatMap((choice) => [
      ...form.begin(head, choice),
      ...(echo ? [form.piece(head, choice, textOf(prompt))] : []),
    ]),
  );
}

function once(work: () => void): () => void {
  let is_done = false;
  return () => {
    if (!is_done) work();
    is_done = true;
  };
}

function withPrompts(requests: readonly TextRequest[], replies: readonly TextReply[]): TextReply[] {
  return replies.map(({ completions, ...reply }, place) => {
    const before = textOf(requests[place]?.prompt);
    return { ...reply, completions: completions.map((each) => ({ ...each, text: before + each.text })) };
  });
}

function textOf(prompt: TextRequest["prompt"] | undefined): string {
  return prompt && "text" in prompt ? prompt.text : "";
}

function faultOf(error: unknown, { log }: PlatformContext): HttpFault {
  const fault = inferenceFault(error);
  if (fault instanceof HttpFault) return fault;
  log.warn(`a stream ended: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return new HttpFault(500, "Internal Server Error");
}
