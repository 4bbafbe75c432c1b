import type { GenerateOptions } from "../../../engine/generate/job.ts";
import type { ModelThread } from "../../../engine/generate/model-thread.ts";
import type { TextReply } from "../../../engine/generate/served-reply.ts";
import type { TextRequest } from "../../../engine/generate/text-service.ts";
import type { ModelSource, ServedModel } from "../model-names.ts";
import type { ModelLoader } from "../model-loader.ts";

/** A request that a fake model works on. */
export interface Working {
  model: string;
  request: TextRequest;
  options: GenerateOptions;
  answer(text: string): void;
}

export interface FakeLoader extends ModelLoader {
  /** What happened, in order: `open a`, `close a`, `add x`, `remove adapter-1`. */
  readonly events: string[];
  /** Requests that have no answer yet. */
  readonly working: Working[];
  /** Ends the process of a model. */
  crash(model: string): void;
}

/** Models without weights: each takes 100 bytes, runs two candidates at once, and answers when it is told to. */
export function fakeLoader({ broken = [] as string[] } = {}): FakeLoader {
  const events: string[] = [];
  const working: Working[] = [];
  const crashes = new Map<string, () => void>();
  function openThread(model: string): ModelThread {
    let end: (error: Error | null) => void = () => undefined;
    const gone = new Promise<Error | null>((resolve) => {
      end = resolve;
    });
    const failures = new Set<(error: Error) => void>();
    crashes.set(model, () => {
      const error = new Error(`${model} has crashed`);
      for (const fail of failures) fail(error);
      end(error);
    });
    return {
      context_length: 64,
      bytes: 100,
      gone,
      generate: (request, options = {}) =>
        new Promise<TextReply>((resolve, reject) => {
          failures.add(reject);
          const job: Working = { model, request, options, answer: (text) => leave(text, "stop") };
          function leave(text: string, finish_reason: "stop" | "abort"): void {
            const at = working.indexOf(job);
            if (at >= 0) working.splice(at, 1);
            failures.delete(reject);
            resolve(replyOf(request, text, finish_reason));
          }
          working.push(job);
          options.signal?.addEventListener("abort", () => leave("", "abort"), { once: true });
        }),
      addAdapter: async (name, dir) => void events.push(`add ${dir} as ${name}`),
      removeAdapter: async (name) => void events.push(`remove ${name}`),
      async close() {
        events.push(`close ${model}`);
        end(null);
      },
    };
  }
  return {
    events,
    working,
    crash: (model) => crashes.get(model)?.(),
    async open(source, { adapters, makeRoom }) {
      const model = placeOf(source);
      await makeRoom(100);
      if (broken.includes(model)) throw new Error(`${model} is broken`);
      events.push(`open ${model}${adapters ? " for adapters" : ""}`);
      return { thread: openThread(model), settings: { threads: 1, max_batch: 2, max_length: 64, bytes: 100 } };
    },
    addAdapter: (thread, name, source) => thread.addAdapter(name, placeOf(source)),
  };
}

/** A base model that lies in the folder of its name, perhaps with an adapter over it. */
export function fakeModel(name: string, adapter?: string): ServedModel {
  const weights = { dir: name };
  const model = { id: adapter ?? name, weights, root: name, parent: adapter ? name : null, created: 0 };
  return adapter === undefined ? model : { ...model, adapter: { dir: adapter } };
}

function placeOf(source: ModelSource): string {
  return "dir" in source ? source.dir : source.repo;
}

function replyOf({ n = 1 }: TextRequest, text: string, finish_reason: "stop" | "abort"): TextReply {
  const completions = Array.from({ length: n }, (_, index) => ({
    index,
    text,
    token_ids: [1],
    completion_tokens: 1,
    finish_reason,
    stopped_by: null,
    logprobs: null,
  }));
  return { prompt_tokens: 1, completions };
}
