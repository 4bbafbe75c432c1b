import { PairwrightError } from "../lib/errors.ts";
import type { Message } from "../records/message.ts";
import { textOf } from "../records/message-text.ts";
import type { Usage } from "../records/usage.ts";
import type { ChatModel, ChatOptions, Choice, Completion } from "../registry/chat-model.ts";

/** What a scripted model says: a text, a message, a message's parts with what stands around it, or an error to throw. */
export type ScriptedAnswer =
  | string
  | Message
  | (Partial<Omit<Message, "role">> & {
      text?: string;
      finish_reason?: string | null;
      refusal?: boolean;
      logprobs?: unknown;
      usage?: Partial<Usage>;
    })
  | Error;

/** Answers in order, or a function of what was asked. */
export type Script =
  | readonly ScriptedAnswer[]
  | ((messages: readonly Message[], options: ChatOptions) => ScriptedAnswer | Promise<ScriptedAnswer>);

/** A chat model double that notes what it was asked. */
export interface ScriptedModel extends ChatModel {
  /** The calls so far, the latest last; the messages are copies. */
  readonly calls: readonly { messages: Message[]; options: ChatOptions }[];
}

/**
 * A model that says what it is told to. A list is used up in the order of the calls (each of `n` choices takes one) and
 * running out of it is an error; with calls in parallel a function of the messages and the seed is the deterministic
 * choice. Token counts are a quarter of the characters.
 */
export function scriptedModel(script: Script, { name = "scripted" }: { name?: string } = {}): ScriptedModel {
  const calls: { messages: Message[]; options: ChatOptions }[] = [];
  let used = 0;

  function next(messages: readonly Message[], options: ChatOptions): ScriptedAnswer | Promise<ScriptedAnswer> {
    if (typeof script === "function") return script(messages, options);
    const answer = script[used];
    used += 1;
    if (answer !== undefined) return answer;
    throw new PairwrightError({
      code: "script_ended",
      where: `the scripted model "${name}"`,
      what: `answer ${used} was asked for, but the script holds ${script.length}`,
      fix: "give it more answers, or a function",
    });
  }

  return {
    name,
    model_name: name,
    calls,
    async chat(messages, options = {}) {
      options.signal?.throwIfAborted();
      calls.push({ messages: structuredClone([...messages]), options });
      const answers: Exclude<ScriptedAnswer, Error>[] = [];
      for (let drawn = 0; drawn < (options.n ?? 1); drawn += 1) {
        const answer = await next(messages, options);
        if (answer instanceof Error) throw answer;
        answers.push(answer);
      }
      options.signal?.throwIfAborted();
      return completionOf(answers, messages, name);
    },
  };
}

function completionOf(
  answers: readonly Exclude<ScriptedAnswer, Error>[],
  messages: readonly Message[],
  model: string,
): Completion {
  const choices = answers.map(choiceOf);
  const [first] = choices;
  if (first === undefined) throw new RangeError("n must be at least 1");
  const prompt_tokens = tokensOf(messages);
  const completion_tokens = tokensOf(choices.map((choice) => choice.message));
  const usage: Usage = {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    llm_calls: 1,
  };
  for (const answer of answers) if (typeof answer === "object" && "usage" in answer) Object.assign(usage, answer.usage);
  return { ...first, choices, model, usage, cached: false };
}

function choiceOf(answer: Exclude<ScriptedAnswer, Error>): Choice {
  if (typeof answer === "string") return choiceOf({ text: answer });
  const {
    text,
    finish_reason,
    refusal = false,
    logprobs,
    usage: _,
    ...members
  } = "role" in answer ? { ...answer } : answer;
  const message: Message = { role: "assistant", content: text ?? "", ...members };
  return {
    message,
    text: textOf(message),
    finish_reason:
      finish_reason === undefined ? (message.tool_calls === undefined ? "stop" : "tool_calls") : finish_reason,
    refusal,
    ...(logprobs !== undefined && { logprobs }),
  };
}

function tokensOf(messages: readonly Message[]): number {
  return Math.ceil(messages.reduce((sum, message) => sum + textOf(message).length, 0) / 4);
}
