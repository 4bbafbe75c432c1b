import type { Message } from "../records/message.ts";
import type { Candidate, ChooseOptions } from "../registry/workflow.ts";
import { stepUsage } from "./instrument.ts";
import type { Scope } from "./scope.ts";

const DEFAULT_STEP_NAME = "dpo_candidate_move";

/** Records every candidate of a turn as one END step, in candidate order. */
export function recordTurn(
  scope: Scope,
  options: ChooseOptions,
  turn: { turn_id: string; turn_index: number },
  candidates: readonly Candidate[],
): void {
  for (const candidate of candidates) {
    const { candidate_index, score, usage } = candidate;
    scope.log.push(scope, {
      event_type: options.event_type ?? "TTC_END",
      name: options.step_name ?? DEFAULT_STEP_NAME,
      data: { ...turn, candidate_index, input: candidate.prompt, output: outputOf(candidate), score },
      metadata: {
        ...candidate.metadata,
        ...options.describe?.(candidate, turn),
        ...ownMetadata(candidate),
      },
      ...(usage.llm_calls > 0 && { usage_info: stepUsage(usage) }),
    });
  }
}

/** A plain reply as its text, anything richer as messages, nothing as null. */
function outputOf({ messages }: Candidate): string | Message[] | null {
  const [only, ...others] = messages;
  if (!only) return null;
  const plain = others.length === 0 && only.role === "assistant" && typeof only.content === "string";
  const bare = plain && !only.tool_calls && !only.reasoning && !only.name;
  return bare && typeof only.content === "string" ? only.content : messages;
}

function ownMetadata(candidate: Candidate): Record<string, unknown> {
  const { is_selected, seed, model, reason, finish_reason, error, tools } = candidate;
  return {
    is_selected,
    seed,
    ...(model !== undefined && { model }),
    ...(reason !== undefined && { reason }),
    ...(finish_reason !== undefined && { finish_reason }),
    ...(error !== undefined && { error }),
    ...(tools !== undefined && { tools }),
  };
}
