import { PairwrightError } from "../lib/errors.ts";
import { createHttpClient, type HttpClient } from "../lib/http.ts";
import { StepPayload } from "../records/step.ts";
import type { WorkflowFunction } from "../registry/workflow.ts";
import { currentScope } from "./scope.ts";

const ROUTES = /\/(generate|v1\/workflow)(\/(full|stream))?\/?$/;

/**
 * A workflow that is served elsewhere by the toolkit of the seeds. `endpoint` is the server's address, with or without
 * its `/generate` or `/v1/workflow` route. The steps it reports become steps of the run, candidates among them.
 */
export function remoteWorkflow(endpoint: string, timeout_seconds: number): { run: WorkflowFunction; close(): void } {
  const route = ROUTES.exec(endpoint)?.[1] ?? "generate";
  const base_url = endpoint.replace(ROUTES, "");
  const client = createHttpClient({ base_url, timeout_ms: timeout_seconds * 1000 });
  return {
    run: async (input, context) => callRemote(client, `/${route}/full`, input, context.signal),
    close: () => client.close(),
  };
}

async function callRemote(client: HttpClient, path: string, input: unknown, signal: AbortSignal): Promise<unknown> {
  const body = JSON.stringify({ input_message: input });
  const where = `POST ${client.endpoint}${path}`;
  const { status, text } = await client.request({ method: "POST", path, body, signal });
  if (status < 200 || status > 299) {
    throw new PairwrightError({
      code: "endpoint_status",
      where,
      what: `answered ${status}: ${text.slice(0, 200)}`,
      fix: "look into the log of the served workflow",
    });
  }
  const values: unknown[] = [];
  let unreadable = 0;
  for (const line of text.split("\n")) {
    if (line.startsWith("data: ")) values.push(...piecesOf(where, line.slice("data: ".length)));
    else if (line.startsWith("intermediate_data: ")) {
      if (!keepStep(line.slice("intermediate_data: ".length))) unreadable += 1;
    }
  }
  if (unreadable > 0) noteUnreadable(unreadable);
  if (values.length === 0) {
    throw new PairwrightError({ code: "endpoint_no_value", where, what: "the stream ended without a value" });
  }
  // A streaming workflow sends its text in pieces; any other sends one value.
  return values.every((value) => typeof value === "string") ? values.join("") : values.at(-1);
}

function piecesOf(where: string, text: string): unknown[] {
  if (text.trim() === "[DONE]") return [];
  const { value } = parseObject(where, text);
  return value === undefined || value === null ? [] : [value];
}

/**
 * The remote server's ancestry is lost on the wire; the step hangs under our workflow, where filters still find it.
 * False when the line is no step: another version's, say. It must not cost the answer, which came well.
 */
function keepStep(text: string): boolean {
  const payload = toObject(text)?.payload;
  const parsed = StepPayload.safeParse(typeof payload === "string" ? toObject(payload) : payload);
  if (!parsed.success) return false;
  const scope = currentScope.getStore();
  if (scope) {
    const { node: function_ancestry, parent_id } = scope;
    scope.log.keep({ parent_id, function_ancestry, payload: parsed.data });
  }
  return true;
}

/** One step that tells how many are missing, so that a run without candidates explains itself. */
function noteUnreadable(count: number): void {
  const scope = currentScope.getStore();
  scope?.log.push(scope, { event_type: "CUSTOM_END", name: "unreadable_remote_steps", data: { output: count } });
}

function parseObject(where: string, text: string): Record<string, unknown> {
  const value = toObject(text);
  if (value) return value;
  throw new PairwrightError({
    code: "endpoint_bad_reply",
    where,
    what: `a line is no JSON object: ${text.slice(0, 80)}`,
  });
}

function toObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
