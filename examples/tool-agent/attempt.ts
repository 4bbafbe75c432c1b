import type { ChatModel, Completion, Message, RunContext, ToolCall } from "pairwright";
import { type AgentTool, callTool } from "./tools.ts";

/** What an attempt is made with. */
export interface Attempting {
  model: Pick<ChatModel, "chat">;
  tools: readonly AgentTool[];
  /** Calls of the model at most, the one with the answer included. */
  max_steps: number;
  temperature?: number | undefined;
  seed: number;
  signal: AbortSignal;
  /** Records each use of a tool. */
  span: RunContext["span"];
}

/** How an attempt ended; its messages are elsewhere. */
export interface Outcome {
  /** The final answer; empty when none was given. */
  text: string;
  finish_reason: string | null;
  answered: boolean;
  refused: boolean;
  steps: number;
  tool_calls: number;
  tool_errors: number;
}

/**
 * Lets the model work on a problem until it answers without calling a tool, or has been asked `max_steps` times.
 * Everything said after the prompt is added to `stretch`: calls, results, and as the last message always one of the
 * model's, also when that is a call which nobody answers any more. A model that cannot be reached throws.
 */
export async function attempt(
  prompt: readonly Message[],
  stretch: Message[],
  { model, tools, max_steps, temperature, seed, signal, span }: Attempting,
): Promise<Outcome> {
  const definitions = tools.map(({ definition }) => definition);
  const counted = { steps: 0, tool_calls: 0, tool_errors: 0 };
  for (;;) {
    const completion = await model.chat([...prompt, ...stretch], { tools: definitions, temperature, seed, signal });
    counted.steps += 1;
    const { message, calls } = withCallIds(completion, counted.steps);
    stretch.push(message);
    if (calls.length === 0 || counted.steps >= max_steps) return outcomeOf(completion, calls, counted);

    for (const { id, function: called } of calls) {
      counted.tool_calls += 1;
      const content = await span("TOOL", called.name, called.arguments, async () => {
        const { output, failed } = callTool(tools, called.name, called.arguments);
        if (failed) counted.tool_errors += 1;
        return output;
      });
      stretch.push({ role: "tool", tool_call_id: id, content });
    }
  }
}

type Counted = Pick<Outcome, "steps" | "tool_calls" | "tool_errors">;

function outcomeOf({ text, finish_reason, refusal }: Completion, calls: readonly unknown[], counted: Counted): Outcome {
  const answered = calls.length === 0;
  // What is said beside a call is a plan, not an answer.
  return { text: answered ? text : "", finish_reason, answered, refused: refusal, ...counted };
}

/** A result names the call that it answers, and a server may leave the ids out. */
function withCallIds({ message }: Completion, step: number) {
  const calls = (message.tool_calls ?? []).map((call, index): ToolCall & { id: string } => ({
    ...call,
    id: call.id ?? `call_${step}_${index}`,
  }));
  return { message: calls.length === 0 ? message : { ...message, tool_calls: calls }, calls };
}
