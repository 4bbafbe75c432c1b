import http from "node:http";
import https from "node:https";
import { type Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { usageError } from "./errors.ts";
import { HttpError } from "./http-error.ts";
import { CONNECT_TIMEOUT, Exchange } from "./http-exchange.ts";

/** What every request of one client shares. */
export interface HttpClientOptions {
  /** Where the server is. A user and password in it become a Basic authorization; a query is kept on every request. */
  base_url: string;
  /** Sent with every request. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** For a whole request: waiting for a socket, connecting, headers and body. */
  timeout_ms: number;
  /** For connecting alone; 10 s unless told. */
  connect_timeout_ms?: number | undefined;
  /** Sockets at once; further requests wait for one, on their own time. Unbounded unless told. */
  max_sockets?: number | undefined;
  /** A longer answer is an error; 64 MiB unless told. */
  max_response_bytes?: number | undefined;
  /** False accepts any certificate. */
  verify_ssl?: boolean | undefined;
}

/** A body that is made while it is sent, so that it need not fit into memory. */
export interface StreamedBody {
  /** Its length. */
  bytes: number;
  /** From the beginning, each time. */
  chunks(): AsyncIterable<Uint8Array>;
}

export interface HttpRequest {
  method: string;
  /** Put after the path of `base_url`; begins with a slash, or is empty. */
  path: string;
  /** Sent as `application/json`, unless `headers` names another type. */
  body?: string | StreamedBody | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  signal?: AbortSignal | undefined;
  /** Instead of the client's. */
  timeout_ms?: number | undefined;
  /** Never sent twice: it gets a connection of its own, which cannot turn out to be dead. */
  once?: boolean | undefined;
}

/** Any answer, whatever its status. Redirects are not followed. */
export interface HttpResponse {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

/** A server's address with a pool of kept-alive sockets. */
export interface HttpClient {
  /** The address without user, password and query: fit for messages. */
  readonly endpoint: string;
  /**
   * One request, one whole answer, or an HttpError. The signal's abort rejects with the signal's own reason. A kept
   * socket that turns out dead before an answer began is replaced by a fresh one, once, unseen: for requests that may
   * not be sent twice there is `once`.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Ends every socket, also those of requests under way, so that the process can exit. */
  close(): void;
}

/** A client for one server. The address is taken apart here, once, so that a request costs little more than its bytes. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { timeout_ms, max_response_bytes = 64 << 20 } = options;
  const target = targetOf(options);
  const pool = agentFor(options, true);
  const single = agentFor(options, false);
  const abortListeners = createAbortListeners();
  const underWay = new Set<Exchange>();
  let closed = false;

  function send(request: HttpRequest, agent: http.Agent, onFault: (error: unknown) => void): http.ClientRequest {
    const sent = target.request({
      agent,
      method: request.method,
      host: target.host,
      port: target.port,
      path: target.prefix + request.path + target.search,
      headers: headersFor(target.headers, request),
    });
    if (typeof request.body === "object") sendChunks(request.body, sent, onFault);
    // As text and in one go with the headers, it leaves in one packet.
    else sent.end(request.body);
    return sent;
  }

  function request(request: HttpRequest): Promise<HttpResponse> {
    const { signal } = request;
    return new Promise((resolve, reject) => {
      const endpoint = `${request.method} ${target.endpoint}${request.path}`;
      if (signal?.aborted) return reject(signal.reason);
      if (closed) return reject(new HttpError(endpoint, { kind: "closed", reason: "the client was closed" }));
      const listeners = signal === undefined ? undefined : abortListeners(signal);
      const exchange: Exchange = new Exchange({
        endpoint,
        timeout_ms: request.timeout_ms ?? timeout_ms,
        max_response_bytes,
        send: (fresh) =>
          send(request, fresh || request.once === true ? single : pool, (error) => exchange.abort(error)),
        resolve,
        reject,
        onSettled: (settled) => {
          underWay.delete(settled);
          listeners?.delete(settled);
        },
      });
      underWay.add(exchange);
      listeners?.add(exchange);
      exchange.start();
    });
  }

  function close(): void {
    closed = true;
    for (const exchange of [...underWay]) exchange.fail({ kind: "closed", reason: "the client was closed" });
    pool.destroy();
    single.destroy();
  }

  return { endpoint: target.endpoint, request, close };
}

/** A fault of the connection the request tells by itself; one of the body is told before the request hears of it. */
function sendChunks(body: StreamedBody, sent: http.ClientRequest, onFault: (error: unknown) => void): void {
  async function* chunks() {
    try {
      yield* body.chunks();
    } catch (error) {
      onFault(error);
      throw error;
    }
  }
  pipeline(Readable.from(chunks(), { objectMode: false }), sent).catch(() => undefined);
}

/** The exchanges to end when a signal aborts: one listener a signal, since a run shares one over thousands of requests. */
function createAbortListeners(): (signal: AbortSignal) => Set<Exchange> {
  const known = new WeakMap<AbortSignal, Set<Exchange>>();
  return (signal) => {
    const before = known.get(signal);
    if (before !== undefined) return before;
    const exchanges = new Set<Exchange>();
    known.set(signal, exchanges);
    const onAbort = () => {
      for (const exchange of [...exchanges]) exchange.abort(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    return exchanges;
  };
}

interface Target {
  endpoint: string;
  request: typeof http.request;
  host: string;
  port: number;
  prefix: string;
  search: string;
  /** Names and values by turns, as Node takes them without looking at each again. */
  headers: readonly string[];
}

function targetOf({ base_url, headers = {} }: HttpClientOptions): Target {
  const url = parseUrl(base_url);
  const secure = url.protocol === "https:";
  const prefix = url.pathname.replace(/\/+$/, "");
  const all: Record<string, string> = { Host: url.host };
  if (url.username !== "" || url.password !== "") {
    const user = `${decoded(url.username)}:${decoded(url.password)}`;
    all.Authorization = `Basic ${Buffer.from(user, "utf8").toString("base64")}`;
  }
  for (const [name, value] of Object.entries(headers)) {
    checkHeader(url.origin, name, value);
    for (const other of Object.keys(all)) if (other.toLowerCase() === name.toLowerCase()) delete all[other];
    all[name] = value;
  }
  return {
    endpoint: `${url.origin}${prefix}`,
    request: secure ? https.request : http.request,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    prefix,
    search: url.search,
    headers: Object.entries(all).flat(),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parseUrl(base_url: string): URL {
  const url = URL.canParse(base_url) ? new URL(base_url) : undefined;
  if (url !== undefined && (url.protocol === "http:" || url.protocol === "https:")) return url;
  throw usageError({
    code: "bad_url",
    // The text itself stays out: it may hold a password.
    what: "a server's address is not a URL that begins with http:// or https://",
    fix: "write it in full, such as http://localhost:8000/v1",
  });
}

function checkHeader(where: string, name: string, value: string): void {
  try {
    http.validateHeaderName(name);
    http.validateHeaderValue(name, value);
  } catch {
    throw usageError({
      code: "bad_header",
      where,
      what: `the header ${JSON.stringify(name)} holds a character that HTTP does not allow`,
      fix: "look for a line break or a letter outside Latin-1 in it, in a key for example",
    });
  }
}

function headersFor(shared: readonly string[], { body, headers }: HttpRequest): string[] {
  const all = [...shared];
  if (headers !== undefined) {
    for (const [name, value] of Object.entries(headers)) setHeader(all, name, value);
  }
  if (body !== undefined) {
    if (headers === undefined || !hasHeader(all, "content-type")) all.push("Content-Type", "application/json");
    all.push("Content-Length", String(typeof body === "string" ? Buffer.byteLength(body) : body.bytes));
  }
  return all;
}

function hasHeader(all: readonly string[], name: string): boolean {
  return all.some((text, index) => index % 2 === 0 && text.toLowerCase() === name);
}

function setHeader(all: string[], name: string, value: string): void {
  for (let index = 0; index < all.length; index += 2) {
    if (all[index]?.toLowerCase() === name.toLowerCase()) {
      all[index + 1] = value;
      return;
    }
  }
  all.push(name, value);
}

function agentFor(options: HttpClientOptions, keepAlive: boolean): http.Agent {
  const { base_url, max_sockets = Number.POSITIVE_INFINITY, connect_timeout_ms = 10_000, verify_ssl = true } = options;
  const settings = { keepAlive, noDelay: true, maxSockets: max_sockets, maxFreeSockets: 4096 };
  const agent = /^https:/i.test(base_url)
    ? new https.Agent({ ...settings, rejectUnauthorized: verify_ssl })
    : new http.Agent(settings);
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (place, callback) => {
    const socket = connect(place, callback);
    if (socket) limitConnecting(socket, connect_timeout_ms);
    return socket;
  };
  return agent;
}

/** Once a socket, not once a request: a kept socket has connected long ago. */
function limitConnecting(socket: Duplex, after_ms: number): void {
  const timer = setTimeout(() => {
    socket.destroy(Object.assign(new Error("the connection took too long"), { code: CONNECT_TIMEOUT, after_ms }));
  }, after_ms);
  const done = () => clearTimeout(timer);
  socket.once("connect", done);
  socket.once("close", done);
}
