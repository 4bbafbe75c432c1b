import type { ClientRequest, IncomingMessage } from "node:http";
import { codeOf } from "./errors.ts";
import { HttpError, type HttpFailure } from "./http-error.ts";

/** How an exchange ends, and what it needs to begin. */
export interface ExchangeParts {
  endpoint: string;
  timeout_ms: number;
  max_response_bytes: number;
  /** Sends the request, on a kept socket where there is one, or on a new one of its own. */
  send(fresh: boolean): ClientRequest;
  resolve(response: { status: number; headers: IncomingMessage["headers"]; text: string }): void;
  reject(error: unknown): void;
  /** Called once, however it ends. */
  onSettled(exchange: Exchange): void;
}

/** The code of the error that a socket is destroyed with when it does not connect in time. */
export const CONNECT_TIMEOUT = "CONNECT_TIMEOUT";

const RESET = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED"]);
const TLS = /CERT|TLS|SSL|EPROTO/;

/** One request under way: it settles once, and leaves neither timer nor listener behind. */
export class Exchange {
  readonly #parts: ExchangeParts;
  #timer: NodeJS.Timeout | undefined;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #fresh = false;
  #settled = false;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setTimeout(() => this.#onTimeout(), this.#parts.timeout_ms);
    this.#begin();
  }

  /** Ends it from outside, by an abort for example; the reason reaches the caller as it is. */
  abort(reason: unknown): void {
    if (!this.#settle()) return;
    this.#request?.destroy();
    this.#parts.reject(reason);
  }

  fail(failure: HttpFailure, cause?: unknown): void {
    this.abort(new HttpError(this.#parts.endpoint, failure, cause));
  }

  #begin(): void {
    try {
      const request = this.#parts.send(this.#fresh);
      this.#request = request;
      request.on("response", (response: IncomingMessage) => this.#onResponse(response));
      request.on("error", (error: Error) => this.#onError(error));
    } catch (error) {
      // Node throws at once when a request cannot be written down, such as a path with a space in it.
      this.abort(error);
    }
  }

  #onResponse(response: IncomingMessage): void {
    this.#response = response;
    response.on("data", (chunk: Buffer) => this.#onData(chunk));
    response.on("end", () => this.#onEnd(response));
    response.on("error", (error: Error) => this.#onError(error));
  }

  #onData(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#parts.max_response_bytes) {
      this.fail({ kind: "too_large", limit_bytes: this.#parts.max_response_bytes });
    } else {
      this.#chunks.push(chunk);
    }
  }

  #onEnd(response: IncomingMessage): void {
    if (!this.#settle()) return;
    const [only] = this.#chunks;
    const bytes = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
    const text = bytes.toString("utf8");
    this.#parts.resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
  }

  #onTimeout(): void {
    this.fail({ kind: "timeout", phase: "reply", after_ms: this.#parts.timeout_ms });
  }

  #onError(error: Error): void {
    if (this.#settled) return;
    const code = codeOf(error) ?? "unknown";
    // A server may close a kept socket just as it is taken for the next request. A fresh one is no reused one: this
    // happens once.
    if (this.#request?.reusedSocket === true && this.#response === undefined && RESET.has(code)) {
      this.#fresh = true;
      this.#begin();
    } else {
      this.fail(failureOf(code, error), error);
    }
  }

  /** False when it was settled before. */
  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#parts.onSettled(this);
    return true;
  }
}

function failureOf(code: string, error: Error): HttpFailure {
  if (code === CONNECT_TIMEOUT) {
    return { kind: "timeout", phase: "connect", after_ms: (error as Error & { after_ms: number }).after_ms };
  }
  if (RESET.has(code)) return { kind: "closed", reason: code };
  if (code.startsWith("HPE_")) return { kind: "malformed", reason: code };
  if (TLS.test(code)) return { kind: "tls", reason: code };
  return { kind: "unreachable", reason: code };
}
