import type { ServerResponse } from "node:http";

/** What can go wrong with one request to a model server. */
export type Fault =
  /** Any status, with `retry_after` as a header when given (seconds, or a date in HTTP's format). */
  | { kind: "status"; status: number; retry_after?: string | number; message?: string }
  /** Nothing is ever answered. */
  | { kind: "hang" }
  /** The connection is cut before an answer. On a kept one, a client may take that for stale and send again unseen. */
  | { kind: "close" }
  /** Half of the answer is sent; the rest follows after `delay_ms`, or never when that is absent. */
  | { kind: "slow_body"; delay_ms?: number }
  /** Half of the answer is sent, then the connection is cut. */
  | { kind: "cut_body" }
  /** Status 200 and half of the JSON, as a whole answer. */
  | { kind: "broken_json" }
  | { kind: "empty_choices" }
  | { kind: "refusal"; text?: string }
  /** The first half of each reply, with `finish_reason: length`. */
  | { kind: "truncated" };

/** A reply's message as the fault leaves it, and why it ended; as it was when the fault is not in the reply itself. */
export function faultyChoice(
  fault: Fault,
  message: Record<string, unknown>,
): { message: Record<string, unknown>; finish_reason?: string } {
  if (fault.kind === "refusal") {
    const refusal = fault.text ?? "I cannot help with that.";
    return { message: { role: "assistant", content: null, refusal }, finish_reason: "stop" };
  }
  if (fault.kind === "truncated") {
    const content = typeof message.content === "string" ? message.content : "";
    return { message: { ...message, content: content.slice(0, content.length >> 1) }, finish_reason: "length" };
  }
  return { message };
}

/** Answers with the fault when it is one of the transport; false leaves the answer to the caller. */
export function sendFault(response: ServerResponse, fault: Fault, body: string): boolean {
  switch (fault.kind) {
    case "status":
      sendStatus(response, fault);
      return true;
    case "hang":
      return true;
    case "close":
      response.destroy();
      return true;
    case "slow_body":
    case "cut_body":
      sendHalf(response, body, fault);
      return true;
    case "broken_json":
      sendWhole(response, 200, body.slice(0, body.length >> 1));
      return true;
    case "empty_choices":
    case "refusal":
    case "truncated":
      return false;
  }
}

/** A JSON answer in one piece. */
export function sendWhole(response: ServerResponse, status: number, body: string, more: readonly string[] = []): void {
  const length = String(Buffer.byteLength(body));
  response.writeHead(status, ["Content-Type", "application/json", "Content-Length", length, ...more]);
  response.end(body);
}

function sendStatus(response: ServerResponse, fault: Extract<Fault, { kind: "status" }>): void {
  const message = fault.message ?? `status ${fault.status} as planned`;
  const more = fault.retry_after === undefined ? [] : ["Retry-After", String(fault.retry_after)];
  sendWhole(response, fault.status, JSON.stringify({ error: { message, type: "planned", code: fault.status } }), more);
}

function sendHalf(
  response: ServerResponse,
  body: string,
  fault: Extract<Fault, { kind: "slow_body" | "cut_body" }>,
): void {
  const bytes = Buffer.from(body, "utf8");
  const half = bytes.length >> 1;
  response.writeHead(200, ["Content-Type", "application/json", "Content-Length", String(bytes.length)]);
  response.write(bytes.subarray(0, half), () => {
    if (fault.kind === "cut_body") {
      response.destroy();
    } else if (fault.delay_ms !== undefined) {
      setTimeout(() => response.end(bytes.subarray(half)), fault.delay_ms);
    }
  });
}
