import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { z } from "zod";

/** One place of a request that cannot be used, as FastAPI tells it. */
export interface FieldFault {
  loc: (string | number)[];
  msg: string;
  type: string;
}

/** An answer that is no success: the service that throws it knows the status, each API writes it in its own shape. */
export class HttpFault extends Error {
  readonly status: ContentfulStatusCode;
  readonly detail: string | FieldFault[];
  readonly headers: Record<string, string>;

  constructor(
    status: ContentfulStatusCode,
    detail: string | FieldFault[],
    headers: Record<string, string> = {},
    cause?: unknown,
  ) {
    super(typeof detail === "string" ? detail : detail.map(describe).join("; "), cause === undefined ? {} : { cause });
    this.name = "HttpFault";
    this.status = status;
    this.detail = detail;
    this.headers = headers;
  }
}

function describe({ loc, msg }: FieldFault): string {
  return `${loc.join(".")}: ${msg}`;
}

export function notFound(what: string): HttpFault {
  return new HttpFault(404, `${what} not found`);
}

/** Clients try a 409 again unless they are told that it will not help. */
export function conflict(detail: string): HttpFault {
  return new HttpFault(409, detail, { "x-should-retry": "false" });
}

export function unprocessable(...faults: FieldFault[]): HttpFault {
  return new HttpFault(422, faults);
}

/** A 422 that names one field of the body. */
export function badField(path: string, msg: string, type = "value_error"): HttpFault {
  return unprocessable({ loc: ["body", ...path.split(".")], msg, type });
}

/** Every fault that a schema found, each with its place in the `body` or `query`; a key that is not known is a place, too. */
export function fieldFaults(place: string, error: z.ZodError): FieldFault[] {
  return error.issues.flatMap((issue) => {
    const loc = [place, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
    if (issue.code !== "unrecognized_keys") return [{ loc, msg: issue.message, type: issue.code }];
    return issue.keys.map((key) => ({ loc: [...loc, key], msg: "this is not known here", type: "extra_forbidden" }));
  });
}
