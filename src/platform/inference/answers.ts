import type { ServedCompletion, TextReply } from "../../engine/generate/served-reply.ts";
import { chatLogprobs, completionLogprobs } from "./answer-logprobs.ts";

/** What every answer, and every piece of one, begins with. */
export interface AnswerHead {
  id: string;
  /** Seconds since 1970. */
  created: number;
  /** The name that was asked for. */
  model: string;
}

/** One API's way of writing what a model said, at once or piece by piece. */
export interface AnswerForm {
  whole(head: AnswerHead, replies: readonly TextReply[]): object;
  /** What a choice begins with. */
  begin(head: AnswerHead, index: number): object[];
  piece(head: AnswerHead, index: number, text: string): object;
  end(head: AnswerHead, index: number, completion: ServedCompletion): object;
  /** After the last choice, where the client asks for it. */
  usage(head: AnswerHead, replies: readonly TextReply[]): object;
}

export const chatForm: AnswerForm = {
  whole: (head, replies) => ({
    ...named(head, "chat.completion"),
    choices: replies
      .flatMap(({ completions }) => completions)
      .map((completion, index) => ({
        index,
        message: { role: "assistant", content: completion.text },
        logprobs: chatLogprobs(completion.logprobs),
        finish_reason: completion.finish_reason,
      })),
    usage: usageOf(replies),
  }),
  begin: (head, index) => [chatChunk(head, index, { role: "assistant", content: "" })],
  piece: (head, index, content) => chatChunk(head, index, { content }),
  end: (head, index, { finish_reason, logprobs }) => chatChunk(head, index, {}, finish_reason, chatLogprobs(logprobs)),
  usage: (head, replies) => ({ ...named(head, "chat.completion.chunk"), choices: [], usage: usageOf(replies) }),
};

export const completionForm: AnswerForm = {
  whole: (head, replies) => ({
    ...named(head, "text_completion"),
    choices: replies
      .flatMap(({ completions }) => completions)
      .map((completion, index) => ({
        index,
        text: completion.text,
        logprobs: completionLogprobs(completion.logprobs),
        finish_reason: completion.finish_reason,
      })),
    usage: usageOf(replies),
  }),
  begin: () => [],
  piece: (head, index, text) => ({
    ...named(head, "text_completion"),
    choices: [{ index, text, logprobs: null, finish_reason: null }],
  }),
  end: (head, index, { finish_reason, logprobs }) => ({
    ...named(head, "text_completion"),
    choices: [{ index, text: "", logprobs: completionLogprobs(logprobs), finish_reason }],
  }),
  usage: (head, replies) => ({ ...named(head, "text_completion"), choices: [], usage: usageOf(replies) }),
};

function chatChunk(
  head: AnswerHead,
  index: number,
  delta: object,
  finish_reason: string | null = null,
  logprobs: unknown = null,
) {
  return { ...named(head, "chat.completion.chunk"), choices: [{ index, delta, logprobs, finish_reason }] };
}

function named({ id, created, model }: AnswerHead, object: string) {
  return { id, object, created, model };
}

export function usageOf(replies: readonly TextReply[]) {
  let [prompt_tokens, completion_tokens] = [0, 0];
  for (const reply of replies) {
    prompt_tokens += reply.prompt_tokens;
    for (const completion of reply.completions) completion_tokens += completion.completion_tokens;
  }
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}
