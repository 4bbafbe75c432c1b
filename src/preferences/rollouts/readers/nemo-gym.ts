import { canonicalJson } from "../../../lib/hash.ts";
import type { Wanted } from "../../../lib/json-pick.ts";
import { isObject } from "../../../records/messages-of.ts";
import type { RolloutRecord, RolloutState } from "../../../records/rollout.ts";
import type { RolloutReader } from "../../../registry/training.ts";
import { readResponse } from "../read-response.ts";

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
    const read = readResponse(params, responseOf(row));
    if ("problem" in read) return read;
    // Every field by its name: to spread an object takes longer than all else here.
    const record: RolloutRecord = {
      prompt: read.prompt,
      completion: read.completion,
      tools: read.tools,
      model: read.model,
      task: taskOf(row),
      variant: variantOf(row, params),
      rollout: typeof row._ng_rollout_index === "number" ? row._ng_rollout_index : undefined,
      // A reward that no verifier gave is a constant of the configuration.
      reward: row.verification_skipped === true ? undefined : row.reward,
      components: isObject(row.reward_components) ? row.reward_components : undefined,
      state: stateOf(row, read.state),
    };
    return [record];
  },

  get plain() {
    return PLAIN;
  },
};

/** Rows of the tutorials have the items themselves where Gym writes the whole response. */
function responseOf({ response, output }: Row): Row | undefined {
  if (isObject(response)) return response;
  return Array.isArray(output) ? { output } : undefined;
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

/** Of an item of `input` or `output` that is a message: one that is not makes no plain row. Thoughts are no text. */
const ITEM: Wanted = {
  type: "all",
  role: "all",
  status: "all",
  content: [{ text: "raw", refusal: "raw" }, "raw"],
  tool_calls: "all",
  tool_call_id: "all",
};
const PLAIN: Wanted = {
  responses_create_params: { input: [ITEM, "raw"], instructions: "all", tools: "all", metadata: "all" },
  response: { output: [ITEM], status: "all", error: "all", incomplete_details: "all", model: "all" },
  reward: "all",
  verification_skipped: "all",
  reward_components: "all",
  agent_ref: { name: "all" },
  _ng_task_index: "all",
  _ng_rollout_index: "all",
  _ng_failure_class: "all",
  mask_sample: "all",
  instance_config: { mask_sample: "all" },
  truncated: "all",
  agent_timed_out: "all",
  ...Object.fromEntries([...TASK_IDS, ...TASK_FIELDS].map((field) => [field, "all"])),
};

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

function stateOf(row: Row, state: RolloutState): RolloutState {
  // Rows of `X_failures.jsonl`: their reward is a placeholder.
  if (row._ng_failure_class !== undefined && row._ng_failure_class !== null) return "failed";
  if (row.mask_sample === true) return "masked";
  if (isObject(row.instance_config) && row.instance_config.mask_sample === true) return "masked";
  const isCut = row.truncated === true || row.agent_timed_out === true;
  return isCut && state === "completed" ? "truncated" : state;
}
