import { assistantFrame } from "../../tokens/assistant-frame.ts";
import type { ChatTemplate } from "../../tokens/chat-template.ts";
import { checkVocabulary } from "../../tokens/check-vocabulary.ts";
import { openChatTemplate } from "../../tokens/open-chat-template.ts";
import { openTokenizer } from "../../tokens/open-tokenizer.ts";
import type { Tokenizer } from "../../tokens/tokenizer.ts";
import { checkAdapter, mergeAdapter } from "../model/lora.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { readAdapter } from "../weights/adapter.ts";
import { readModelFolder } from "../weights/model-folder.ts";
import { type Generator, type GeneratorOptions, openGenerator } from "./generator.ts";

export interface TextModelOptions {
  /** A LoRA adapter in PEFT's layout, added to the weights. */
  adapter_dir?: string | undefined;
  /** Prompts are text to go on from, not one user's message in the model's chat template. */
  raw?: boolean | undefined;
}

/** A model folder in memory, that has not begun to generate. */
export interface TextModel {
  readonly config: ModelConfig;
  /** The token ids of a prompt. */
  encode(prompt: string): number[];
  /** Opens the model; the folder's own end tokens end a text. The weights here are let go. */
  open(options: Omit<GeneratorOptions, "config" | "parameters" | "tokenizer">): Promise<Generator>;
}

/**
 * Reads a model folder with its tokenizer and, unless prompts are `raw`, its chat template. Errors: those of reading
 * them, and `vocabulary_mismatch`.
 */
export async function readTextModel(dir: string, options: TextModelOptions = {}): Promise<TextModel> {
  const model = await readModelFolder(dir);
  const { config } = model;
  const tokenizer = await openTokenizer(dir);
  checkVocabulary(tokenizer, { vocab_size: config.vocab_size, where: dir });
  const template = options.raw ? undefined : await openChatTemplate(dir);
  const ends = template ? endsOf(tokenizer, template) : tokenizer;
  let parameters = model.parameters;
  if (options.adapter_dir !== undefined) {
    const adapter = await readAdapter(options.adapter_dir);
    checkAdapter(adapter, config, options.adapter_dir);
    parameters = mergeAdapter(parameters, adapter);
  }
  return {
    config,
    encode(prompt) {
      const messages = [{ role: "user" as const, content: prompt }];
      return tokenizer.encode(template ? template.render(messages, { add_generation_prompt: true }) : prompt);
    },
    async open(settings) {
      const given = parameters;
      parameters = new Map();
      return openGenerator({ ...settings, config, parameters: given, tokenizer: ends });
    },
  };
}

/** The tokenizer, with the token that ends an assistant's turn in this template among its end tokens: some folders do not list it. */
function endsOf(tokenizer: Tokenizer, template: ChatTemplate): Tokenizer {
  const end = assistantFrame(tokenizer, template).end_ids.at(-1);
  if (end === undefined || tokenizer.eos_ids.includes(end)) return tokenizer;
  return { ...tokenizer, eos_ids: [...tokenizer.eos_ids, end] };
}
