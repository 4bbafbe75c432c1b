import type { ServerResponse } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";

/** Node's own response: a web one costs more than all the rest of a small request. */
export function outgoingOf(c: Context): ServerResponse {
  return (c.env as HttpBindings).outgoing as ServerResponse;
}

/** Answers with JSON. What it gives tells the server that this is done. */
export function answerJson(outgoing: ServerResponse, body: object): Response {
  const text = JSON.stringify(body);
  outgoing.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  outgoing.end(text);
  return RESPONSE_ALREADY_SENT;
}

/** A response of server-sent events as OpenAI's streams have them. It begins with the first event. */
export interface EventAnswer {
  readonly begun: boolean;
  /** One `data:` line with this as JSON. What is sent after the client has left goes nowhere. */
  send(data: object): void;
  /** The last event: `[DONE]`. */
  end(): Response;
}

const EVENT_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  // For proxies that would keep the events until there are many.
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

export function answerEvents(outgoing: ServerResponse): EventAnswer {
  function write(data: string): void {
    if (outgoing.destroyed) return;
    if (!outgoing.headersSent) outgoing.writeHead(200, EVENT_HEADERS);
    outgoing.write(`data: ${data}\n\n`);
  }
  return {
    get begun() {
      return outgoing.headersSent;
    },
    send: (data) => write(JSON.stringify(data)),
    end() {
      write("[DONE]");
      outgoing.end();
      return RESPONSE_ALREADY_SENT;
    },
  };
}
