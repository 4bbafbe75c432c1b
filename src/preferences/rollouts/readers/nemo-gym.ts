import { canonicalJson } from "../../../lib/hash.ts";
import type { Message, Tool } from "../../../records/message.ts";
import { isObject } from "../../../records/messages-of.ts";
import type { BrokenRollout, RolloutRecord, RolloutState } from "../../../records/rollout.ts";
import type { RolloutReader } from "../../../registry/training.ts";
import { messagesOfItems } from "../responses-items.ts";

type Row = Record<string, unknown>;

/**
 * Rollouts of NeMo Gym, as written today and before `_ng_task_index` was: `responses_create_params`, `response.output`,
 * `reward`, and whatever fields the environment adds. What stands at the head of `output` before the model said anything
 * belongs to the prompt. Where `output` is a list of lists (each with the whole context), the last one is the rollout.
 */
export const nemoGym: RolloutReader = {
  recognises: (rows) => rows.some((row) => isObject(row) && isObject(row.responses_create_params)),

  rollouts(row) {
    if (!isObject(row)) return { problem: "a rollout is an object" };
    const params = row.responses_create_params;
    if (!isObject(params)) return { problem: "there is no responses_create_params" };
    const asked = inputOf(params);
    if ("problem" in asked) return asked;
    const response = isObject(row.response) ? row.response : undefined;
    const items = outputOf(response);
    if (items === undefined) return { problem: "response.output is no list" };
    const said = messagesOfItems(items);
    const head = said.messages.findIndex(({ role }) => role === "assistant" || role === "tool");
    const split = head === -1 ? said.messages.length : head;
    const tools = toolsOf(params.tools);
    const unsupported = asked.unsupported ?? said.unsupported;
    const record: RolloutRecord = {
      task: taskOf(row),
      variant: variantOf(row, params),
      rollout: typeof row._ng_rollout_index === "number" ? row._ng_rollout_index : undefined,
      prompt: [...asked.messages, ...said.messages.slice(0, split)],
      completion: said.messages.slice(split),
      // A reward that no verifier gave is a constant of the configuration.
      reward: row.verification_skipped === true ? undefined : row.reward,
      components: isObject(row.reward_components) ? row.reward_components : undefined,
      state: unsupported !== undefined ? "unsupported_item" : stateOf(row, response, items),
      model: typeof response?.model === "string" ? response.model : undefined,
      ...(tools !== undefined && { tools }),
    };
    return [record];
  },
};

function inputOf({
  input,
  instructions,
}: Row): { messages: Message[]; unsupported: string | undefined } | BrokenRollout {
  const items = typeof input === "string" ? [{ role: "user", content: input }] : (input ?? []);
  if (!Array.isArray(items)) return { problem: "responses_create_params.input is neither a text nor a list" };
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

/** Fields that name a task, in public environments that write no `_ng_task_index`. */
const TASK_IDS = ["task_idx", "task_index", "task_id", "instance_id", "problem_id", "question_id"] as const;
/**
 * Fields that belong to the task and not to the try: two tries of one prompt that differ here had different tasks, however
 * equal they look to the model.
 */
const TASK_FIELDS = [
  "expected_answer",
  "ground_truth",
  "verifier_metadata",
  "difficulty",
  "law_version",
  "noise_level",
  "system",
] as const;

function taskOf(row: Row): string | undefined {
  const agent = isObject(row.agent_ref) ? (row.agent_ref.name ?? null) : null;
  const index = row._ng_task_index;
  if (index !== undefined && index !== null) return JSON.stringify([index, agent]);
  const ids = partOf(row, TASK_IDS);
  return Object.keys(ids).length === 0 ? undefined : canonicalJson([ids, agent]);
}

function variantOf(row: Row, { metadata }: Row): string | undefined {
  // An index is that of the whole row that the task was made of.
  const isNumbered = row._ng_task_index !== undefined && row._ng_task_index !== null;
  const parts: Row = isNumbered ? {} : partOf(row, TASK_FIELDS);
  if (isObject(metadata)) {
    // The seed of a try stands in `extra_body`: it makes no other task.
    const { extra_body: _, ...others } = metadata;
    if (Object.keys(others).length > 0) parts.metadata = others;
  }
  return Object.keys(parts).length === 0 ? undefined : canonicalJson(parts);
}

function partOf(row: Row, fields: readonly string[]): Row {
  const there = fields.filter((field) => row[field] !== undefined && row[field] !== null);
  return Object.fromEntries(there.map((field) => [field, row[field]]));
}

function stateOf(row: Row, response: Row | undefined, items: readonly unknown[]): RolloutState {
  // Rows of `X_failures.jsonl`: their reward is a placeholder.
  if (row._ng_failure_class !== undefined && row._ng_failure_class !== null) return "failed";
  if (row.mask_sample === true) return "masked";
  if (isObject(row.instance_config) && row.instance_config.mask_sample === true) return "masked";
  if (response === undefined || items.length === 0) return "no_response";
  const { status, error } = response;
  if (status === "failed" || status === "cancelled" || (error !== undefined && error !== null)) return "errored";
  const details = response.incomplete_details;
  const reason = isObject(details) ? details.reason : undefined;
  if (reason !== undefined && reason !== null && reason !== "max_output_tokens") return "errored";
  const last = items.at(-1);
  const isCut =
    reason === "max_output_tokens" ||
    status === "incomplete" ||
    (isObject(last) && last.status === "incomplete") ||
    row.truncated === true ||
    row.agent_timed_out === true;
  return isCut ? "truncated" : "completed";
}
