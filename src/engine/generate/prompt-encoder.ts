import { PairwrightError } from "../../lib/errors.ts";
import { assistantFrame } from "../../tokens/assistant-frame.ts";
import type { ChatTemplate } from "../../tokens/chat-template.ts";
import { checkVocabulary } from "../../tokens/check-vocabulary.ts";
import { openChatTemplate } from "../../tokens/open-chat-template.ts";
import { openTokenizer } from "../../tokens/open-tokenizer.ts";
import type { Tokenizer } from "../../tokens/tokenizer.ts";

export type ChatMessage = Parameters<ChatTemplate["render"]>[0][number];

/** What a model is to go on from: a conversation that its chat template writes, a text as it stands, or token ids. */
export type TextPrompt = { messages: readonly ChatMessage[] } | { text: string } | { token_ids: readonly number[] };

/** A model folder's way from prompts to token ids. */
export interface PromptEncoder {
  /** With the token that ends an assistant's turn in the chat template among its end tokens. */
  readonly tokenizer: Tokenizer;
  /** Errors: `template_missing` for messages where the folder has no chat template, and those of `ChatTemplate`. */
  encode(prompt: TextPrompt): readonly number[];
}

export interface PromptEncoderOptions {
  vocab_size: number;
  /** Whether the folder must have a chat template. With `none` it is not read, and only the tokenizer's own end tokens end a text. */
  template: "required" | "optional" | "none";
}

/** Reads a folder's tokenizer and its chat template. Errors: those of reading them, and `vocabulary_mismatch`. */
export async function openPromptEncoder(dir: string, options: PromptEncoderOptions): Promise<PromptEncoder> {
  const tokenizer = await openTokenizer(dir);
  checkVocabulary(tokenizer, { vocab_size: options.vocab_size, where: dir });
  const found = options.template === "none" ? undefined : await templateOf(dir, options.template);
  return {
    tokenizer: found?.template ? endsOf(tokenizer, found.template) : tokenizer,
    encode(prompt) {
      if ("token_ids" in prompt) return prompt.token_ids;
      if ("text" in prompt) return tokenizer.encode(prompt.text);
      if (found?.template)
        return tokenizer.encode(found.template.render(prompt.messages, { add_generation_prompt: true }));
      throw found?.missing ?? new RangeError("messages need a chat template");
    },
  };
}

/** The folder's template, or, where it may be missing, the error that says so. */
async function templateOf(
  dir: string,
  need: "required" | "optional",
): Promise<{ template?: ChatTemplate; missing?: PairwrightError }> {
  try {
    return { template: await openChatTemplate(dir) };
  } catch (error) {
    if (need === "optional" && PairwrightError.is(error) && error.code === "template_missing")
      return { missing: error };
    throw error;
  }
}

/** The tokenizer, with the token that ends an assistant's turn in this template among its end tokens: some folders do not list it. */
function endsOf(tokenizer: Tokenizer, template: ChatTemplate): Tokenizer {
  const end = assistantFrame(tokenizer, template).end_ids.at(-1);
  if (end === undefined || tokenizer.eos_ids.includes(end)) return tokenizer;
  return { ...tokenizer, eos_ids: [...tokenizer.eos_ids, end] };
}
