import { readAdapter } from "../weights/adapter.ts";
import { readModelFolder } from "../weights/model-folder.ts";
import { openGenerator } from "./generator.ts";
import type { GenerateOptions } from "./job.ts";
import { cacheBytes } from "./key-value-cache.ts";
import { openPromptEncoder, type TextPrompt } from "./prompt-encoder.ts";
import type { GenerationRequest } from "./request.ts";
import { rowsNeeded } from "./scheduler.ts";
import { replyWriter, type TextReply } from "./served-reply.ts";
import type { WeightFormat } from "./serving-weights.ts";

export interface TextServiceOptions {
  /** A Hugging Face folder with weights and tokenizer. */
  model_dir: string;
  threads: number;
  /** Candidates that run at once; others wait for room. */
  max_batch: number;
  /** Tokens of prompt and reply together; what the model was made for unless told. */
  max_length?: number | undefined;
  weights?: WeightFormat | undefined;
  /** Whether LoRA adapters can be added while it runs; costs a base without them a little. */
  adapters?: boolean | undefined;
  /** What the key-value cache may take; 4 GiB unless told. */
  max_cache_bytes?: number | undefined;
}

/** `GenerationRequest` with a prompt in words. The same request gives the same text, whatever else runs. */
export interface TextRequest extends Omit<GenerationRequest, "prompt"> {
  prompt: TextPrompt;
}

/** A model folder that answers requests in words. */
export interface TextService {
  /** Tokens of prompt and reply together. */
  readonly context_length: number;
  /** Bytes of the key-value cache when it is full: the system gives them as texts grow. */
  readonly cache_bytes: number;
  /** Errors: those of `Generator.generate`, and those of the chat template (`template_failed`, `template_missing`, `content_unsupported`). */
  generate(request: TextRequest, options?: GenerateOptions): Promise<TextReply>;
  /** Adds an adapter in PEFT's layout under a name. Errors: those of reading it and of `Generator.addAdapter`. */
  addAdapter(name: string, dir: string): Promise<void>;
  removeAdapter(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens a model folder. Steps block the thread that this is called on: see `openModelThread`. */
export async function openTextService({ model_dir, ...options }: TextServiceOptions): Promise<TextService> {
  const { config, parameters } = await readModelFolder(model_dir);
  const { tokenizer, encode } = await openPromptEncoder(model_dir, { ...config, template: "optional" });
  const generator = await openGenerator({ ...options, config, parameters, tokenizer, batch_invariant: true });
  const write = replyWriter(tokenizer);
  const { max_length } = generator;
  return {
    context_length: max_length,
    cache_bytes: cacheBytes(config, rowsNeeded(options.max_batch, max_length), max_length),
    async generate({ prompt: given, ...request }, generate_options) {
      const prompt = encode(given);
      return write(prompt.length, await generator.generate({ ...request, prompt }, generate_options));
    },
    addAdapter: async (name, dir) => generator.addAdapter(name, await readAdapter(dir), dir),
    removeAdapter: (name) => generator.removeAdapter(name),
    close: () => generator.close(),
  };
}
