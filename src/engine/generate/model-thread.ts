import type { GenerateOptions } from "./job.ts";
import { ModelConnection } from "./model-connection.ts";
import type { Answer, Call, ModelFacts } from "./model-messages.ts";
import type { TextReply } from "./served-reply.ts";
import type { TextRequest, TextServiceOptions } from "./text-service.ts";

export type ModelThreadOptions = TextServiceOptions;

/** A model that runs beside this thread and never blocks it. */
export interface ModelThread {
  /** Tokens of prompt and reply together. */
  readonly context_length: number;
  /** Bytes that the model takes: its process as it was after the last adapter came or went, and a full key-value cache. */
  readonly bytes: number;
  /**
   * The candidates of a request, in order. Aborting ends them where they are, and what they hold is given. What `on_text`
   * throws ends the request and is its error. Errors: those of `TextService.generate`, `generator_closed`, and
   * `model_died` when the process ends by itself.
   */
  generate(request: TextRequest, options?: GenerateOptions): Promise<TextReply>;
  /** Adds a LoRA adapter in PEFT's layout under a name. Errors: those of `TextService.addAdapter`. */
  addAdapter(name: string, dir: string): Promise<void>;
  /** Requests that run with it end first, and new ones are refused at once. Errors: `adapter_not_found`. */
  removeAdapter(name: string): Promise<void>;
  /** Requests that wait or run fail with `generator_closed`. */
  close(): Promise<void>;
  /** Settles when the model is gone: null when it was closed, an error when its process ended by itself. */
  readonly gone: Promise<Error | null>;
}

/**
 * Opens a model folder in a process of its own. Calls and replies of one turn of the event loop travel together, and
 * requests that are made together are read together. Errors: those of `openTextService`, `model_died`, and the signal's
 * reason when it aborts before the model is ready.
 *
 * A process and not a worker thread: onnxruntime-node 1.30 runs in several workers at once, but a worker that is stopped
 * while a step runs (`terminate`, `process.exit`) takes the whole program with it ("terminate called after throwing an
 * instance of 'Napi::Error'"). A process can be killed at any time, gives all of its memory back, and a fault of the
 * native library in it is an error here.
 */
export async function openModelThread(
  options: ModelThreadOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ModelThread> {
  signal?.throwIfAborted();
  const connection = new ModelConnection(options.model_dir);
  const stop = () => connection.kill();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const opened = await connection.ask((id) => ({ kind: "open", id, options }));
    return threadOver(connection, factsOf(opened));
  } catch (error) {
    await connection.close();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function threadOver(connection: ModelConnection, opened: ModelFacts): ModelThread {
  let { bytes } = opened;
  async function change(make: (id: number) => Call): Promise<void> {
    bytes = factsOf(await connection.ask(make)).bytes;
  }
  return {
    context_length: opened.context_length,
    get bytes() {
      return bytes;
    },
    async generate(request, options) {
      const streams = options?.on_text !== undefined;
      return replyOf(await connection.ask((id) => ({ kind: "generate", id, request, streams }), options));
    },
    addAdapter: (name, dir) => change((id) => ({ kind: "add_adapter", id, name, dir })),
    removeAdapter: (name) => change((id) => ({ kind: "remove_adapter", id, name })),
    close: () => connection.close(),
    gone: connection.gone,
  };
}

function factsOf(answer: Answer): ModelFacts {
  if (answer.kind !== "ready") throw new RangeError("the model's process gave a reply where it should be ready");
  return answer.facts;
}

function replyOf(answer: Answer): TextReply {
  if (answer.kind !== "reply") throw new RangeError("the model's process gave no reply");
  return answer.reply;
}
