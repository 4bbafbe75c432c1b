import { EXIT, PairwrightError } from "./errors.ts";

/** Why there is no answer. An answer of any status is no failure. */
export type HttpFailure =
  /** No connection was made: nothing listens, the name is unknown, the network is down. `reason` is Node's code. */
  | { kind: "unreachable"; reason: string }
  /** The server's certificate or TLS itself was refused. */
  | { kind: "tls"; reason: string }
  /** `connect`: no connection in time. `reply`: connected or queued, but no whole answer in time. */
  | { kind: "timeout"; phase: "connect" | "reply"; after_ms: number }
  /** The connection ended before the answer was whole, or the client was closed. */
  | { kind: "closed"; reason: string }
  | { kind: "too_large"; limit_bytes: number }
  /** What came is not HTTP. */
  | { kind: "malformed"; reason: string };

/** A request that got no answer. `endpoint` must be free of user, password and query. */
export class HttpError extends PairwrightError {
  readonly failure: HttpFailure;

  constructor(endpoint: string, failure: HttpFailure, cause?: unknown) {
    const { what, fix } = wordsFor(failure);
    super({ code: `http_${failure.kind}`, where: endpoint, what, fix, exit_code: EXIT.unreachable, cause });
    this.name = "HttpError";
    this.failure = failure;
  }
}

function wordsFor(failure: HttpFailure): { what: string; fix: string } {
  switch (failure.kind) {
    case "unreachable":
      return {
        what: `no connection (${failure.reason})`,
        fix: "check that the server runs and that the address and port are right",
      };
    case "tls":
      return {
        what: `no secure connection (${failure.reason})`,
        fix: "check http or https in the address; a certificate of one's own needs verify_ssl: false",
      };
    case "timeout":
      return failure.phase === "connect"
        ? {
            what: `no connection within ${failure.after_ms / 1000} s`,
            fix: "check the address, the network and any firewall between",
          }
        : {
            what: `no whole answer within ${failure.after_ms / 1000} s`,
            fix: "raise the time limit, or lower the concurrency when the server is overloaded",
          };
    case "closed":
      return {
        what: `the connection ended before the answer was whole (${failure.reason})`,
        fix: "look into the server's log; a proxy in between may have cut the connection",
      };
    case "too_large":
      return {
        what: `the answer is longer than ${failure.limit_bytes} bytes`,
        fix: "ask for less at once",
      };
    case "malformed":
      return { what: `the answer is not HTTP (${failure.reason})`, fix: "check that the address and port are right" };
  }
}
