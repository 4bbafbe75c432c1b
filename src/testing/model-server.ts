import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { messageOf, PairwrightError } from "../lib/errors.ts";
import { type Fault, sendFault, sendWhole } from "./model-server-fault.ts";
import { completionBody, type ModelRequest, parseModelRequest, type ReplyFunction } from "./model-server-reply.ts";

export interface ModelServerOptions {
  reply: ReplyFunction;
  /** Before each answer; 0 unless told. */
  latency_ms?: number;
  /** Any free one unless told. Always on the loopback address. */
  port?: number;
  /** What goes wrong: by arrival (null is nothing), or decided for each request. */
  faults?: readonly (Fault | null)[] | ((request: ModelRequest, call: number) => Fault | null);
  /** Requests without this key are answered 401. */
  api_key?: string;
  /** What `/v1/models` lists; "test-model" unless told. */
  models?: readonly string[];
}

/** A running server and its counters. */
export interface ModelServer {
  /** Ends in `/v1`: a `base_url`. */
  readonly url: string;
  /** Chat requests so far. */
  readonly calls: number;
  /** The most chat requests that were under way at once. */
  readonly peak: number;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Cuts the connections that wait for a next request, as a server with a short keep-alive does. */
  dropIdle(): void;
  /** Also cuts what hangs. */
  close(): Promise<void>;
}

interface State {
  options: ModelServerOptions;
  calls: number;
  peak: number;
  in_flight: number;
  connections: number;
}

/**
 * A chat-completions server on the loopback address, for tests, demonstrations and benchmarks: `POST
 * /v1/chat/completions`, `GET /v1/models`, and `GET /stats`, which tells the counters. Token counts are a quarter of
 * the characters.
 */
export async function startModelServer(options: ModelServerOptions): Promise<ModelServer> {
  const state: State = { options, calls: 0, peak: 0, in_flight: 0, connections: 0 };
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true, keepAliveTimeout: 60_000 }, (request, response) =>
    readThenRoute(state, request, response),
  );
  server.on("connection", (socket) => {
    state.connections += 1;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await listen(server, options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    get calls() {
      return state.calls;
    },
    get peak() {
      return state.peak;
    },
    get connections() {
      return state.connections;
    },
    dropIdle: () => server.closeIdleConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new PairwrightError({
          code: "port_taken",
          where: `127.0.0.1:${port}`,
          what: "the model server cannot listen there",
          fix: "choose another port, or leave it out",
          cause,
        }),
      ),
    );
    server.listen(port, "127.0.0.1", resolve);
  });
}

function readThenRoute(state: State, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const [only] = chunks;
    const bytes = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
    route(state, request, response, bytes.toString("utf8"));
  });
}

function route(state: State, request: IncomingMessage, response: ServerResponse, text: string): void {
  const [path = ""] = (request.url ?? "").split("?", 1);
  if (path.endsWith("/chat/completions") && request.method === "POST") {
    take(state, request, response, text);
  } else if (path.endsWith("/models")) {
    const data = (state.options.models ?? ["test-model"]).map((id) => ({ id, object: "model" }));
    sendWhole(response, 200, JSON.stringify({ object: "list", data }));
  } else if (path.endsWith("/stats")) {
    const { calls, peak, in_flight, connections } = state;
    sendWhole(response, 200, JSON.stringify({ calls, peak, in_flight, connections }));
  } else {
    sendError(response, 404, `no such path: ${path}`);
  }
}

function take(state: State, request: IncomingMessage, response: ServerResponse, text: string): void {
  const call = state.calls;
  state.calls += 1;
  state.in_flight += 1;
  if (state.in_flight > state.peak) state.peak = state.in_flight;
  response.once("close", () => {
    state.in_flight -= 1;
  });
  const { latency_ms = 0 } = state.options;
  if (latency_ms > 0) setTimeout(() => void answer(state, call, request, response, text), latency_ms);
  else void answer(state, call, request, response, text);
}

async function answer(
  { options }: State,
  call: number,
  { headers }: IncomingMessage,
  response: ServerResponse,
  text: string,
): Promise<void> {
  if (response.destroyed) return;
  const request = parseModelRequest(text);
  if (options.api_key !== undefined && headers.authorization !== `Bearer ${options.api_key}`) {
    sendError(response, 401, "the key is missing or wrong");
  } else if (request === undefined) {
    sendError(response, 400, "not a chat request");
  } else {
    try {
      const { faults, reply } = options;
      const fault = (typeof faults === "function" ? faults(request, call) : faults?.[call]) ?? null;
      const body = await completionBody(request, { call, headers }, reply, fault);
      if (response.destroyed) return;
      if (fault === null || !sendFault(response, fault, body)) sendWhole(response, 200, body);
    } catch (error) {
      // The test's own function threw: its words go where they are seen.
      sendError(response, 500, messageOf(error));
    }
  }
}

function sendError(response: ServerResponse, status: number, message: string): void {
  sendWhole(response, status, JSON.stringify({ error: { message, type: "model_server", code: status } }));
}
