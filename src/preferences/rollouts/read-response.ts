import type { Message, Tool } from "../../records/message.ts";
import { isObject } from "../../records/messages-of.ts";
import type { BrokenRollout, RolloutRecord, RolloutState } from "../../records/rollout.ts";
import { messagesOfItems } from "./responses-items.ts";

type Row = Record<string, unknown>;

/** What a request and a response of the Responses protocol say of a rollout. */
export type ReadResponse = Pick<RolloutRecord, "prompt" | "completion" | "tools" | "state" | "model">;

/**
 * A request (`input`, `instructions`, `tools`) and its response (`output`, `status`, `incomplete_details`…) as a rollout.
 * What stands at the head of `output` before the model said anything belongs to the prompt. Where `output` is a list of
 * lists, each with the whole context, the last one counts.
 */
export function readResponse(params: Row, response: Row | undefined): ReadResponse | BrokenRollout {
  const asked = inputOf(params);
  if ("problem" in asked) return asked;
  const items = outputOf(response);
  if (items === undefined) return { problem: "the response's output is no list" };
  const said = messagesOfItems(items);
  const head = said.messages.findIndex(({ role }) => role === "assistant" || role === "tool");
  const split = head === -1 ? said.messages.length : head;
  const isUnsupported = asked.unsupported !== undefined || said.unsupported !== undefined;
  return {
    prompt: split === 0 ? asked.messages : [...asked.messages, ...said.messages.slice(0, split)],
    completion: split === 0 ? said.messages : said.messages.slice(split),
    state: isUnsupported ? "unsupported_item" : stateOf(response, items),
    model: typeof response?.model === "string" ? response.model : undefined,
    tools: toolsOf(params.tools),
  };
}

function inputOf({
  input,
  instructions,
}: Row): { messages: Message[]; unsupported: string | undefined } | BrokenRollout {
  const items = typeof input === "string" ? [{ role: "user", content: input }] : (input ?? []);
  if (!Array.isArray(items)) return { problem: "input is neither a text nor a list" };
  const { messages, unsupported } = messagesOfItems(items);
  if (typeof instructions !== "string" || instructions === "") return { messages, unsupported };
  return { messages: withInstructions(instructions, messages), unsupported };
}

/** One system message: most chat templates take no second one. */
function withInstructions(instructions: string, messages: Message[]): Message[] {
  const [first, ...rest] = messages;
  const isSystem = first?.role === "system" || first?.role === "developer";
  if (!isSystem || typeof first.content !== "string") return [{ role: "system", content: instructions }, ...messages];
  return [{ ...first, content: `${instructions}\n\n${first.content}` }, ...rest];
}

function outputOf(response: Row | undefined): readonly unknown[] | undefined {
  if (response === undefined) return [];
  const { output } = response;
  if (!Array.isArray(output)) return undefined;
  const last: unknown = output.at(-1);
  return Array.isArray(last) ? last : output;
}

/** Tools of the Responses protocol are flat; those of the chat protocol have a `function`. Hosted tools are neither. */
function toolsOf(tools: unknown): Tool[] | undefined {
  if (!Array.isArray(tools)) return undefined;
  const functions: Tool[] = [];
  for (const tool of tools as unknown[]) {
    if (!isObject(tool) || tool.type !== "function") continue;
    if (isObject(tool.function)) functions.push(tool as Tool);
    else if (typeof tool.name === "string") functions.push({ type: "function", function: functionOf(tool, tool.name) });
  }
  return functions.length > 0 ? functions : undefined;
}

function functionOf({ description, parameters }: Row, name: string): Tool["function"] {
  return {
    name,
    ...(typeof description === "string" && { description }),
    ...(parameters !== undefined && parameters !== null && { parameters }),
  };
}

function stateOf(response: Row | undefined, items: readonly unknown[]): RolloutState {
  if (response === undefined || items.length === 0) return "no_response";
  const { status, error } = response;
  if (status === "failed" || status === "cancelled" || (error !== undefined && error !== null)) return "errored";
  const details = response.incomplete_details;
  const reason = isObject(details) ? details.reason : undefined;
  if (reason !== undefined && reason !== null && reason !== "max_output_tokens") return "errored";
  const last = items.at(-1);
  const isCut =
    reason === "max_output_tokens" || status === "incomplete" || (isObject(last) && last.status === "incomplete");
  return isCut ? "truncated" : "completed";
}
