import { availableParallelism } from "node:os";
import type { Message } from "pairwright";
import { openChatTemplate, openGenerator, openTokenizer, readModelFolder } from "pairwright/engine";

/** A chat request, as far as a player's reply depends on it. Other members are not looked at. */
export interface ReplyRequest {
  messages: readonly Message[];
  seed?: number | null | undefined;
  temperature?: number | null | undefined;
  max_tokens?: number | null | undefined;
}

/** What the chat protocol tells of a reply. */
export interface LocalReply extends Record<string, unknown> {
  content: string;
  finish_reason: string;
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

/** A model of a folder, run by the engine of this package. */
export interface LocalModel extends AsyncDisposable {
  /** The same request gives the same reply, whatever else is asked meanwhile. */
  reply(request: ReplyRequest): Promise<LocalReply>;
}

/** No reply of this game is longer, in any model's tokens. */
const MAX_TOKENS = 64;
/** Longer conversations, such as one with many corrections, do not fit. */
const MAX_LENGTH = 512;

/** Opens a Hugging Face folder to be asked for moves. */
export async function openLocalModel(dir: string, { threads = availableParallelism() } = {}): Promise<LocalModel> {
  const { config, parameters } = await readModelFolder(dir);
  const tokenizer = await openTokenizer(dir);
  const template = await openChatTemplate(dir);
  const max_length = Math.min(MAX_LENGTH, config.max_position_embeddings);
  const generator = await openGenerator({
    config,
    parameters,
    tokenizer,
    threads,
    max_batch: 64,
    max_length,
    batch_invariant: true,
  });
  return {
    async reply({ messages, seed, temperature, max_tokens }) {
      const prompt = tokenizer.encode(template.render(messages, { add_generation_prompt: true }));
      const [completion] = await generator.generate({
        prompt,
        seed: seed ?? 0,
        temperature: temperature ?? 1,
        max_tokens: Math.max(1, Math.min(max_tokens ?? MAX_TOKENS, MAX_TOKENS, max_length - prompt.length)),
      });
      if (completion === undefined) throw new RangeError("the generator gave no reply");
      const { text, finish_reason, token_ids } = completion;
      const [prompt_tokens, completion_tokens] = [prompt.length, token_ids.length];
      const usage = { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
      return { content: text, finish_reason, usage };
    },
    [Symbol.asyncDispose]: () => generator.close(),
  };
}
