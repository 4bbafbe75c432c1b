import type { Message } from "../../records/message.ts";
import type { ChatModel, ChatOptions, Choice, Completion } from "../../registry/chat-model.ts";
import type { Sampled, Slot } from "../../registry/workflow.ts";

/** One reply for each slot, by one request for all of them. A server that gives fewer replies is asked for the others one by one. */
export async function chatTogether(
  model: Pick<ChatModel, "chat">,
  prompt: readonly Message[],
  slots: readonly Slot[],
  options: ChatOptions,
): Promise<Sampled[]> {
  const [first] = slots;
  if (first === undefined) return [];
  const seeds = slots.map(({ seed }) => seed);
  const completion = await model.chat(prompt, { ...options, n: slots.length, seeds, sample_index: first.index });
  const given = completion.choices.slice(0, slots.length).map((choice) => alone(choice, completion));
  const missing = slots.slice(given.length);
  const asked = missing.map(({ seed, index }) => model.chat(prompt, { ...options, seed, sample_index: index }));
  const others = (await Promise.allSettled(asked)).map((ended) =>
    ended.status === "fulfilled" ? ended.value : { error: ended.reason },
  );
  return [...given, ...others];
}

/** A choice as the completion that it would have been. */
function alone(choice: Choice, { model, usage, cached }: Completion): Completion {
  return { ...choice, choices: [choice], model, usage, cached };
}
