import { JsonForm, type JsonPath } from "../../lib/json-form.ts";
import type { Message } from "../../records/message.ts";
import { isObject } from "../../records/messages-of.ts";

/** Stands for a value that is not there. */
export const NOTHING = -1;
/** Stands for a model that is known to be none. */
export const CODE = -2;

/** Where a step of one form has what pairs are made of: each is the number of a value of the form, or `NOTHING`. */
export interface CandidatePlaces {
  turn_id: number;
  turn_index: number;
  candidate_index: number;
  /** The contents of the prompt's messages. */
  prompt: number[];
  roles: Message["role"][];
  output: number;
  score: number;
  seed: number;
  model: number;
  finish_reason: number;
  tokens: number;
}

/** A kind of step: its form, and what it is to pairs. */
export interface StepKind {
  form: JsonForm;
  /** `undefined` for a step that is no candidate. */
  candidate: CandidatePlaces | undefined;
  /** The kind of step that came after one of this kind the last time. */
  next: StepKind | undefined;
}

const MESSAGE_ROLES: ReadonlySet<unknown> = new Set(["system", "developer", "user", "assistant"]);

/** The kind of a step; `undefined` for a candidate that is not as nearly all of them are, and for what is no such JSON. */
export function stepKindOf(bytes: Buffer, step_name: string): StepKind | undefined {
  const form = JsonForm.of(bytes, isFixed);
  if (form === undefined) return undefined;
  const step = JSON.parse(bytes.toString("utf8")) as unknown;
  const payload = isObject(step) && isObject(step.payload) ? step.payload : undefined;
  if (payload?.name !== step_name || (payload.event_type !== "TTC_END" && payload.event_type !== "CUSTOM_END")) {
    return { form, candidate: undefined, next: undefined };
  }
  const candidate = isObject(payload.data) ? placesOf(form, payload, payload.data) : undefined;
  return candidate && { form, candidate, next: undefined };
}

/** What says what kind of step it is, and the roles of messages. */
function isFixed(path: JsonPath): boolean {
  const last = path.at(-1);
  if (last === "role") return true;
  return path.length === 2 && path[0] === "payload" && (last === "event_type" || last === "name");
}

/** The same that `turnsOf` takes, from the same places, when all of it is plain. */
function placesOf(
  form: JsonForm,
  payload: Record<string, unknown>,
  data: Record<string, unknown>,
): CandidatePlaces | undefined {
  const metadata = isObject(payload.metadata) ? payload.metadata : {};
  const numbers = new Map(form.paths.map((path, place) => [JSON.stringify(path), place]));
  const at = (...path: JsonPath) => numbers.get(JSON.stringify(["payload", ...path])) ?? NOTHING;
  // Where data names its turn, all that it has was meant.
  const find = (key: string): { value: unknown; place: number } =>
    data[key] !== undefined
      ? { value: data[key], place: at("data", key) }
      : { value: metadata[key], place: at("metadata", key) };
  const typed = (key: string, type: "string" | "number") => {
    const { value, place } = find(key);
    return typeof value === type ? place : NOTHING;
  };
  const prompt = promptPlaces(data.input, (...path) => at("data", "input", ...path));
  const { value: tools } = find("tools");
  const { value: output, place } = find("output");
  const turn_id = typeof data.turn_id === "string" ? at("data", "turn_id") : NOTHING;
  const places = {
    turn_id,
    turn_index: typed("turn_index", "number"),
    candidate_index: typed("candidate_index", "number"),
  };
  if (prompt === undefined || Object.values(places).includes(NOTHING)) return undefined;
  if ((Array.isArray(tools) && tools.length > 0) || (typeof output !== "string" && output !== null)) return undefined;
  const model = typeof data.model === "string" ? at("data", "model") : at("metadata", "model");
  return {
    ...places,
    ...prompt,
    output: output === null ? NOTHING : place,
    score: typed("score", "number"),
    seed: typed("seed", "number"),
    model:
      typeof (data.model ?? metadata.model) === "string"
        ? model
        : "model" in data || "model" in metadata
          ? CODE
          : NOTHING,
    finish_reason: typed("finish_reason", "string"),
    // Only what counts of what has that name: JSON may say a name twice, and means the last one.
    tokens:
      typeof tokensIn(payload.usage_info) === "number" ? at("usage_info", "token_usage", "total_tokens") : NOTHING,
  };
}

function tokensIn(usage: unknown): unknown {
  return isObject(usage) && isObject(usage.token_usage) ? usage.token_usage.total_tokens : undefined;
}

/** Where the contents of a prompt are that is a text, or messages of a text each and nothing else. */
function promptPlaces(
  input: unknown,
  at: (...path: JsonPath) => number,
): Pick<CandidatePlaces, "prompt" | "roles"> | undefined {
  if (typeof input === "string") return { prompt: [at()], roles: ["user"] };
  if (!Array.isArray(input) || input.length === 0) return undefined;
  const prompt: number[] = [];
  const roles: Message["role"][] = [];
  for (const [place, message] of input.entries()) {
    if (!isObject(message) || Object.keys(message).length !== 2) return undefined;
    if (!MESSAGE_ROLES.has(message.role) || typeof message.content !== "string") return undefined;
    prompt.push(at(place, "content"));
    roles.push(message.role as Message["role"]);
  }
  return { prompt, roles };
}
