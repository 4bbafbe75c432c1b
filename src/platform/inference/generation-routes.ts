import { type Context, Hono } from "hono";
import type { z } from "zod";
import { answerFaults, openAiBody } from "../http/fault-response.ts";
import { fieldFaults, HttpFault } from "../http/http-fault.ts";
import { readJson } from "../http/read-body.ts";
import type { PlatformContext } from "../platform-context.ts";
import { answerRequest } from "./answer-request.ts";
import { type AnswerHead, chatForm, completionForm } from "./answers.ts";
import { ChatRequest, chatTextRequest } from "./chat-request.ts";
import { CompletionRequest, completionTextRequests } from "./completion-request.ts";
import { outgoingOf } from "./direct-answer.ts";
import { inferenceFault } from "./inference-fault.ts";
import type { ModelNames } from "./model-names.ts";
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

/** `POST /chat/completions` and `/completions` of OpenAI's API. */
export function generationRoutes(parts: GenerationParts, context: PlatformContext): Hono {
  const routes = new Hono();
  const serving = { pool: parts.pool, context };
  routes.onError((error, c) => answerFaults(openAiBody, context.log)(inferenceFault(error) as Error, c));
  function headOf(prefix: string, model: string): AnswerHead {
    return { id: `${prefix}-${parts.newAnswerId()}`, created: Math.floor(Date.now() / 1000), model };
  }
  routes.post("/chat/completions", async (c) => {
    const body = await readRequest(c, ChatRequest);
    const model = parts.names.find(body.model);
    const asked = {
      form: chatForm,
      head: headOf("chatcmpl", body.model),
      model,
      requests: [chatTextRequest(body, body.seed ?? parts.newSeed())],
      ...streaming(body),
      echo: false,
    };
    return answerRequest(outgoingOf(c), asked, serving);
  });
  routes.post("/completions", async (c) => {
    const body = await readRequest(c, CompletionRequest);
    const model = parts.names.find(body.model);
    const asked = {
      form: completionForm,
      head: headOf("cmpl", body.model),
      model,
      requests: completionTextRequests(body, body.seed ?? parts.newSeed()),
      ...streaming(body),
      echo: body.echo === true,
    };
    return answerRequest(outgoingOf(c), asked, serving);
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
