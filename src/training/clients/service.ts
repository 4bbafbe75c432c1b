import type { Clock } from "../../lib/clock.ts";
import { EXIT, PairwrightError, usageError } from "../../lib/errors.ts";
import { createHttpClient, type HttpResponse, type StreamedBody } from "../../lib/http.ts";
import { HttpError } from "../../lib/http-error.ts";
import { refusalText } from "./refusal-text.ts";

export interface ServiceOptions {
  /** What it is called in messages, such as `NeMo Entity Store`. */
  name: string;
  base_url: string;
  /** Sent as a bearer; none when empty. */
  token: string;
  /** The variable or option that holds the token, for messages. */
  token_name: string;
  clock: Clock;
  /** For one request, what a long body takes aside; a minute unless told. */
  timeout_ms?: number | undefined;
}

export interface ServiceRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  /** A text or bytes as they are, anything else as JSON. */
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  /** Statuses that are answers besides 200 to 299. */
  accept?: readonly number[];
  /** May be sent again when it is not known what became of it. GET always may. */
  repeatable?: boolean;
  /** For who asks again anyhow: 1 is once. */
  tries?: number;
  signal: AbortSignal;
}

export interface ServiceAnswer {
  status: number;
  headers: HttpResponse["headers"];
  /** Undefined when it is no JSON. */
  body: unknown;
}

/** An HTTP service that answers in JSON. */
export interface Service {
  readonly endpoint: string;
  call(request: ServiceRequest): Promise<ServiceAnswer>;
  close(): void;
}

/** A service answered, and what it said is no. `status` is that of HTTP. */
export class RefusedError extends PairwrightError {
  readonly status: number;

  constructor(facts: { code: string; where: string; what: string; fix: string; exit_code: number; status: number }) {
    super(facts);
    this.name = "RefusedError";
    this.status = facts.status;
  }
}

const TIMEOUT_MS = 60_000;
/** What a slow line may take in addition. */
const BYTES_PER_MS = 200;
const TRIES = 3;
const PAUSE_MS = 500;
const BUSY = new Set([408, 429, 500, 502, 503, 504]);

/**
 * Calls one service, a few times where that is safe: when nothing was sent, or when the request may be repeated. Errors:
 * `platform_unreachable` and `platform_error` (exit 6), `platform_key_refused`,
 * `platform_redirects` and `platform_refused` (exit 2).
 */
export function createService(options: ServiceOptions): Service {
  const { name, base_url, token, token_name, clock, timeout_ms: limit_ms = TIMEOUT_MS } = options;
  const http = createHttpClient({
    base_url,
    timeout_ms: limit_ms,
    headers: {
      Accept: "application/json",
      // The embedded platform asks clients of this name to send large files as they are.
      "User-Agent": "pairwright",
      ...(token !== "" && { Authorization: `Bearer ${token}` }),
    },
  });

  async function once(request: ServiceRequest): Promise<ServiceAnswer> {
    const { method, path, headers, accept = [], signal, repeatable = method === "GET" } = request;
    const body = encoded(request.body);
    const timeout_ms = limit_ms + (typeof body === "object" ? body.bytes / BYTES_PER_MS : 0);
    const response = await http.request({ method, path, headers, body, signal, timeout_ms, once: !repeatable });
    const { status } = response;
    const read = parsed(response.text);
    if ((status >= 200 && status < 300) || accept.includes(status)) return { ...response, body: read };
    if (status >= 300 && status < 400) throw redirected(`${method} ${http.endpoint}${path}`, response.headers.location);
    throw refused(`${method} ${http.endpoint}${path}`, { name, token_name, status, text: refusalText(read, token) });
  }

  async function call(request: ServiceRequest): Promise<ServiceAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await once(request);
      } catch (error) {
        if (attempt >= (request.tries ?? TRIES) || !mayRepeat(request, error)) throw unreachable(name, error);
        await clock.sleep(PAUSE_MS * 2 ** (attempt - 1), request.signal);
      }
    }
  }

  return { endpoint: http.endpoint, call, close: http.close };
}

function encoded(body: unknown): string | StreamedBody | undefined {
  if (body === undefined || typeof body === "string") return body;
  return isStreamed(body) ? body : JSON.stringify(body);
}

function isStreamed(body: unknown): body is StreamedBody {
  return typeof body === "object" && body !== null && "chunks" in body && typeof body.chunks === "function";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function mayRepeat({ method, repeatable = method === "GET" }: ServiceRequest, error: unknown): boolean {
  if (error instanceof RefusedError) return repeatable && BUSY.has(error.status);
  if (!(error instanceof HttpError)) return false;
  // Where no connection was made, nothing was sent.
  const unsent = error.failure.kind === "unreachable";
  return unsent || (repeatable && error.failure.kind === "closed");
}

function unreachable(name: string, error: unknown): unknown {
  if (!(error instanceof HttpError)) return error;
  return new PairwrightError({
    code: "platform_unreachable",
    where: error.where,
    what: `failed to connect to ${name}: ${error.what}`,
    fix: "check entity_host and datastore_host, that curl HOST/health answers, and the network between; then go on with --resume",
    exit_code: EXIT.unreachable,
    cause: error,
  });
}

/** Not followed: a key would go along to wherever it leads. */
function redirected(where: string, location: string | undefined): PairwrightError {
  const origin = location !== undefined && URL.canParse(location) ? ` to ${new URL(location).origin}` : "";
  return usageError({
    code: "platform_redirects",
    where,
    what: `it redirects${origin}`,
    fix: "write the address that it leads to into entity_host or datastore_host, with https:// where that is meant",
  });
}

interface Refusal {
  name: string;
  token_name: string;
  status: number;
  text: string;
}

function refused(where: string, { name, token_name, status, text }: Refusal): RefusedError {
  const said = text === "" ? `HTTP ${status}` : `HTTP ${status}: ${text}`;
  if (status === 401 || status === 403) {
    return new RefusedError({
      ...{ code: "platform_key_refused", where, status, exit_code: EXIT.usage },
      what: `${name} does not accept the key (${said})`,
      fix: `set ${token_name}`,
    });
  }
  if (status >= 500 || BUSY.has(status)) {
    return new RefusedError({
      ...{ code: "platform_error", where, status, exit_code: EXIT.unreachable },
      what: `${name} failed (${said})`,
      fix: "look into the service's log; then go on with --resume",
    });
  }
  return new RefusedError({
    ...{ code: "platform_refused", where, status, exit_code: EXIT.usage },
    what: `${name} refuses this (${said})`,
    fix: "change what it names in the trainer adapter's options",
  });
}

/** An answer of the expected kind, or `platform_odd_answer` (exit 6). */
export function oddAnswer(where: string, what: string): PairwrightError {
  return new PairwrightError({
    code: "platform_odd_answer",
    where,
    what,
    fix: "check that the address is that of the service, and which version of it answers there",
    exit_code: EXIT.unreachable,
  });
}

/** `ns/name` as a path: every part encoded, since names hold `@` and `+`. */
export function namedPath(base: string, ...parts: string[]): string {
  return `${base}/${parts.map(encodeURIComponent).join("/")}`;
}
