import type { RunRecord } from "../../records/run.ts";
import type { ChatModel } from "../../registry/chat-model.ts";
import type { ChooseOptions, Example, RunContext, Turn } from "../../registry/workflow.ts";
import { type RunExampleOptions, runExample } from "../run-example.ts";
import { firstRun } from "./first-run.ts";

export const example: Example = { id: "e1", index: 0, input: "why?", answer: "because", row: { id: "e1" } };
export const prompt = [{ role: "user" as const, content: "why?" }];

export async function play(
  workflow: (context: RunContext) => unknown,
  options: Partial<RunExampleOptions> = {},
): Promise<RunRecord> {
  return runExample(example, firstRun({ workflow: (_input, context) => workflow(context), ...options }));
}

export async function chooseOnce(choice: Partial<ChooseOptions>, options: Partial<RunExampleOptions> = {}) {
  let turn: Turn | undefined;
  const run = await play(async (context) => {
    turn = await context.choose("answer", {
      prompt,
      candidates: 3,
      sample: (_prompt, slot) => `reply ${slot.index}`,
      ...choice,
    });
    return turn.selected.text;
  }, options);
  const steps = run.steps.filter((step) => step.payload.name === "dpo_candidate_move").map((step) => step.payload);
  return { run, turn, steps };
}

/** A model that answers at once, and says how many tokens that took. */
export function modelNamed(name: string): ChatModel {
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, llm_calls: 1 };
  const reply = {
    message: { role: "assistant" as const, content: "hi" },
    text: "hi",
    finish_reason: "stop",
    refusal: false,
  };
  return {
    name,
    model_name: name,
    chat: async () => ({ ...reply, choices: [reply], model: name, usage, cached: false }),
  };
}
