import type { Message } from "../../records/message.ts";
import type { BoundFunction, Sample, SampleFunction } from "../../registry/workflow.ts";

/**
 * Samples by calling a function with the turn's input (the prompt's messages where there is none). What it gives back
 * may be a reply (text, messages, a completion) or any value, whose text then is its JSON.
 */
export function functionSample(call: BoundFunction): SampleFunction {
  return async (prompt, slot) => asSample(await call(slot.input ?? prompt));
}

function asSample(output: unknown): Sample {
  if (typeof output === "string") return { text: output, value: output };
  if (typeof output === "object" && output !== null) {
    if ("messages" in output && Array.isArray(output.messages)) return output as Sample;
    if ("message" in output && "choices" in output) {
      const { message, finish_reason } = output as { message: Message; finish_reason?: string | null };
      return { messages: [message], finish_reason, value: output };
    }
    if ("text" in output && typeof output.text === "string") return output as Sample;
  }
  return { text: JSON.stringify(output) ?? "", value: output };
}
