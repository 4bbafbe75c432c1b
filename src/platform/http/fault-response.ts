import type { Context, ErrorHandler, NotFoundHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Logger } from "../../lib/log.ts";
import { HttpFault } from "./http-fault.ts";

/** How one API writes that something is wrong. */
export type FaultBody = (fault: HttpFault) => unknown;

/** The JSON services' way: `{"detail": ...}`, as FastAPI has it. */
export const detailBody: FaultBody = ({ detail }) => ({ detail });

/** The inference endpoint's way, in both forms that OpenAI's clients read. */
export const openAiBody: FaultBody = (fault) => {
  const { status, detail } = fault;
  const type = OPENAI_TYPES[status] ?? (status >= 500 ? "InternalServerError" : "BadRequestError");
  const fields =
    typeof detail === "string" ? [] : detail.map(({ loc, msg }) => ({ name: loc.slice(1).join("."), msg }));
  const message =
    typeof detail === "string"
      ? detail
      : fields.map(({ name, msg }) => (name === "" ? msg : `${name}: ${msg}`)).join("; ");
  const param = fields[0]?.name || null;
  return { object: "error", message, type, param, code: status, error: { message, type, param, code: status } };
};

const OPENAI_TYPES: Record<number, string> = {
  401: "AuthenticationError",
  403: "PermissionDeniedError",
  404: "NotFoundError",
  413: "BadRequestError",
  422: "BadRequestError",
  429: "RateLimitError",
  503: "ServiceUnavailableError",
};

/** Answers what a route threw. What is no `HttpFault` is a fault of ours: it is logged, and told without its insides. */
export function answerFaults(body: FaultBody, log: Logger): ErrorHandler {
  return (error, c) => {
    const fault = faultOf(error, c, log);
    return c.json(body(fault) as object, fault.status, fault.headers);
  };
}

export function answerUnknownPath(body: FaultBody): NotFoundHandler {
  return (c) => {
    const fault = new HttpFault(404, "Not Found");
    return c.json(body(fault) as object, fault.status);
  };
}

function faultOf(error: unknown, c: Context, log: Logger): HttpFault {
  if (error instanceof HttpFault) return error;
  if (error instanceof HTTPException) return new HttpFault(error.status as ContentfulStatusCode, error.message);
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log.warn(`${c.req.method} ${c.req.path}: ${text}`);
  return new HttpFault(500, "Internal Server Error", { "x-should-retry": "false" });
}
