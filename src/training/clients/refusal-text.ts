const LONGEST = 400;

/** What a service says of its refusal: `detail` as text or as FastAPI's list, `error`, `message`. Empty when it says nothing. */
export function refusalText(body: unknown, secret: string): string {
  const text = said(body).replaceAll(/\s+/g, " ").trim();
  const safe = secret === "" ? text : text.replaceAll(secret, "[redacted]");
  return safe.length > LONGEST ? `${safe.slice(0, LONGEST)}…` : safe;
}

function said(body: unknown): string {
  if (typeof body === "string") return body;
  if (typeof body !== "object" || body === null) return "";
  const { detail, error, message } = body as Record<string, unknown>;
  if (Array.isArray(detail)) return detail.map(issue).join("; ");
  for (const value of [detail, error, message]) {
    if (typeof value === "string") return value;
    if (typeof value === "object" && value !== null) return said(value);
  }
  return "";
}

/** `{"loc": ["body", "hyperparameters", "epochs"], "msg": "..."}` */
function issue(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const { loc, msg } = value as Record<string, unknown>;
  const where = Array.isArray(loc) ? loc.filter((part) => part !== "body").join(".") : "";
  return where === "" ? String(msg) : `${where}: ${String(msg)}`;
}
