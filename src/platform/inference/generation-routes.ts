import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import type { z } from "zod";
import type { TextReply } from "../../engine/generate/served-reply.ts";
import type { TextRequest } from "../../engine/generate/text-service.ts";
import { answerFaults, openAiBody } from "../http/fault-response.ts";
import { fieldFaults, HttpFault } from "../http/http-fault.ts";
import { readJson } from "../http/read-body.ts";
import type { PlatformContext } from "../platform-context.ts";
import { type AnswerForm, type AnswerHead, chatForm, completionForm, usageOf } from "./answers.ts";
import { ChatRequest, chatTextRequest } from "./chat-request.ts";
import { CLIENT_LEFT, clientSignal } from "./client-signal.ts";
import { CompletionRequest, completionTextRequests } from "./completion-request.ts";
import { answerEvents, answerJson, type EventAnswer, outgoingOf } from "./direct-answer.ts";
import { inferenceFault } from "./inference-fault.ts";
import type { ModelNames, ServedModel } from "./model-names.ts";
import type { ModelPool } from "./model-pool.ts";
import { refuseFields } from "./refused-fields.ts";

export interface GenerationParts {
  names: ModelNames;
  pool: ModelPool;
  /** A whole number, for a request that brings no seed. */
  newSeed(): number;
  /** For `chatcmpl-...`. */
  newAnswerId(): string;
}

/** A request that has been understood. */
interface Asked {
  form: AnswerForm;
  head: AnswerHead;
  model: ServedModel;
  requests: TextRequest[];
  stream: boolean;
  include_usage: boolean;
  /** Each choice begins with its prompt. */
  echo: boolean;
}

/** `POST /chat/completions` and `/completions` of OpenAI's API. */
export function generationRoutes(parts: GenerationParts, context: PlatformContext): Hono {
  const routes = new Hono();
  routes.onError((error, c) => answerFaults(openAiBody, context.log)(inferenceFault(error) as Error, c));
  function headOf(prefix: string, model: string): AnswerHead {
    return { id: `${prefix}-${parts.newAnswerId()}`, created: Math.floor(Date.now() / 1000), model };
  }
  routes.post("/chat/completions", async (c) => {
    const body = await readRequest(c, ChatRequest);
    const model = parts.names.find(body.model);
    return await answer(c, parts, context, {
      form: chatForm,
      head: headOf("chatcmpl", body.model),
      model,
      requests: [chatTextRequest(body, body.seed ?? parts.newSeed())],
      ...streaming(body),
      echo: false,
    });
  });
  routes.post("/completions", async (c) => {
    const body = await readRequest(c, CompletionRequest);
    const model = parts.names.find(body.model);
    return await answer(c, parts, context, {
      form: completionForm,
      head: headOf("cmpl", body.model),
      model,
      requests: completionTextRequests(body, body.seed ?? parts.newSeed()),
      ...streaming(body),
      echo: body.echo === true,
    });
  });
  return routes;
}

function streaming({ stream, stream_options }: ChatRequest | CompletionRequest) {
  return { stream: stream === true, include_usage: stream_options?.include_usage === true };
}

/** The body as OpenAI's API reads it: what cannot be used is a 400. */
async function readRequest<S extends z.ZodType>(c: Context, schema: S): Promise<z.output<S>> {
  const json = await readJson(c).catch((error: unknown) => {
    if (!(error instanceof HttpFault) || error.status !== 422) throw error;
    throw new HttpFault(400, error.detail);
  });
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new HttpFault(400, "the request's body is no JSON object");
  }
  refuseFields(json as Record<string, unknown>);
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new HttpFault(400, fieldFaults("body", parsed.error));
}

async function answer(c: Context, parts: GenerationParts, context: PlatformContext, asked: Asked): Promise<Response> {
  const outgoing = outgoingOf(c);
  const { signal, done } = clientSignal(outgoing);
  try {
    if (asked.stream) return await streamed(parts, context, asked, { signal, events: answerEvents(outgoing) });
    const replies = await generate(parts, context, asked, signal);
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
  { pool }: GenerationParts,
  { metrics }: PlatformContext,
  { model, requests, stream }: Asked,
  signal: AbortSignal,
  on_text?: (text: string, choice: number) => void,
): Promise<TextReply[]> {
  const { n = 1 } = requests[0] ?? {};
  const replies = await pool.generate(model, requests, {
    signal,
    on_text: stream && on_text ? ({ index, text }, place) => on_text(text, place * n + index) : undefined,
  });
  // The engine gives what an aborted request holds.
  signal.throwIfAborted();
  const { prompt_tokens, completion_tokens } = usageOf(replies);
  metrics.tokens.inc({ model: model.id, kind: "prompt" }, prompt_tokens);
  metrics.tokens.inc({ model: model.id, kind: "completion" }, completion_tokens);
  return replies;
}

async function streamed(
  parts: GenerationParts,
  context: PlatformContext,
  asked: Asked,
  { signal, events }: { signal: AbortSignal; events: EventAnswer },
): Promise<Response> {
  const { form, head, include_usage } = asked;
  const show = (chunk: object) => events.send(include_usage ? { ...chunk, usage: null } : chunk);
  const begin = once(() => {
    for (const chunk of beginnings(asked)) show(chunk);
  });
  try {
    const replies = await generate(parts, context, asked, signal, (text, choice) => {
      begin();
      show(form.piece(head, choice, text));
    });
    begin();
    const completions = replies.flatMap((reply) => reply.completions);
    for (const [choice, completion] of completions.entries()) show(form.end(head, choice, completion));
    if (include_usage) events.send(form.usage(head, replies));
  } catch (error) {
    if (!events.begun || signal.reason === CLIENT_LEFT) throw error;
    events.send(openAiBody(faultOf(error, context)) as object);
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
