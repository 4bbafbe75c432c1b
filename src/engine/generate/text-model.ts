import { checkAdapter, mergeAdapter } from "../model/lora.ts";
import type { ModelConfig } from "../model/model-config.ts";
import { readAdapter } from "../weights/adapter.ts";
import { readModelFolder } from "../weights/model-folder.ts";
import { type Generator, type GeneratorOptions, openGenerator } from "./generator.ts";
import { openPromptEncoder } from "./prompt-encoder.ts";

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
  encode(prompt: string): readonly number[];
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
  const { tokenizer, encode } = await openPromptEncoder(dir, {
    ...config,
    template: options.raw ? "none" : "required",
  });
  let parameters = model.parameters;
  if (options.adapter_dir !== undefined) {
    const adapter = await readAdapter(options.adapter_dir);
    checkAdapter(adapter, config, options.adapter_dir);
    parameters = mergeAdapter(parameters, adapter);
  }
  return {
    config,
    encode: (prompt) => encode(options.raw ? { text: prompt } : { messages: [{ role: "user", content: prompt }] }),
    async open(settings) {
      const given = parameters;
      parameters = new Map();
      return openGenerator({ ...settings, config, parameters: given, tokenizer });
    },
  };
}
