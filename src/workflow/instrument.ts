import { PairwrightError } from "../lib/errors.ts";
import { hash31 } from "../lib/hash.ts";
import { addUsage, type Usage } from "../records/usage.ts";
import type { ChatModel, Completion } from "../registry/chat-model.ts";
import type { BoundFunction, WorkflowFunction } from "../registry/workflow.ts";
import { type CallSeeds, currentScope, type Scope } from "./scope.ts";
import { currentTally } from "./tally.ts";

/** A model whose calls are recorded as LLM_START and LLM_END of the running example, and whose usage is summed. */
export function instrumentModel(model: ChatModel): ChatModel {
  return {
    name: model.name,
    model_name: model.model_name,
    ...(model.close && { close: () => model.close?.() }),
    async chat(messages, options) {
      const scope = currentScope.getStore();
      if (!scope) {
        const completion = await model.chat(messages, options);
        const tally = currentTally.getStore();
        if (tally) addUsage(tally, completion.usage);
        return completion;
      }

      const name = model.model_name;
      const fallback_seed = nextSeed(scope.seeds);
      const began = scope.now() / 1000;
      const UUID = scope.log.push(scope, { event_type: "LLM_START", name, data: { input: messages } });
      const signal = options?.signal ?? scope.context.signal;
      try {
        const completion = await model.chat(messages, {
          ...options,
          signal,
          fallback_seed,
          // Another draw than any other call of the run: the cache must not give one reply to all.
          sample_index: options?.sample_index ?? fallback_seed,
        });
        addUsage(scope.total, completion.usage);
        if (scope.tally) {
          scope.tally.model = name;
          addUsage(scope.tally.usage, completion.usage);
        }
        scope.log.push(scope, {
          event_type: "LLM_END",
          name,
          UUID,
          span_event_timestamp: began,
          data: outputOf(completion),
          usage_info: stepUsage(completion.usage),
        });
        return completion;
      } catch (error) {
        const code = PairwrightError.is(error) ? error.code : "llm_error";
        scope.log.push(scope, {
          event_type: "LLM_END",
          name,
          UUID,
          span_event_timestamp: began,
          data: { output: null },
          metadata: { error: code },
        });
        throw error;
      }
    },
  };
}

/** What came; of a call for several replies, all of them in their order. */
function outputOf({ choices, text, finish_reason }: Completion) {
  if (choices.length === 1) return { output: text, finish_reason };
  return { output: choices.map((choice) => choice.text), finish_reason: choices.map((choice) => choice.finish_reason) };
}

/** The seed of a place's next call: the first has the place's own, so that a candidate's call has the candidate's. */
function nextSeed(seeds: CallSeeds): number {
  const { place, calls } = seeds;
  seeds.calls += 1;
  const [own] = place;
  return calls === 0 && place.length === 1 && typeof own === "number" ? own : hash31(...place, calls);
}

/** Token counts as the seeds' steps carry them. */
export function stepUsage(usage: Usage) {
  const { prompt_tokens, completion_tokens, total_tokens, cached_tokens, reasoning_tokens } = usage;
  return {
    token_usage: {
      prompt_tokens,
      completion_tokens,
      total_tokens,
      ...(cached_tokens !== undefined && { cached_tokens }),
      ...(reasoning_tokens !== undefined && { reasoning_tokens }),
    },
    num_llm_calls: usage.llm_calls,
  };
}

/** A function that runs inside its own FUNCTION_START and FUNCTION_END; what it pushes names it as its ancestor. */
export function instrumentFunction(name: string, run: WorkflowFunction): BoundFunction {
  return async (input, context) => {
    const scope = currentScope.getStore();
    if (!scope) {
      throw new PairwrightError({
        code: "no_run",
        where: name,
        what: "this function was called outside a running example",
        fix: "call it from a workflow, or await everything the workflow starts",
      });
    }
    return withFunction(scope, name, () => run(input, context ?? scope.context));
  };
}

async function withFunction<T>(scope: Scope, name: string, work: () => T | Promise<T>): Promise<T> {
  const began = scope.now() / 1000;
  const function_id = scope.log.newId();
  const node = {
    function_id,
    function_name: name,
    parent_id: scope.node.function_id,
    parent_name: scope.node.function_name,
  };
  const place = { node, parent_id: scope.parent_id, tags: scope.tags };
  scope.log.push(place, { event_type: "FUNCTION_START", name, UUID: function_id });
  try {
    return await currentScope.run({ ...scope, node, parent_id: function_id }, work);
  } finally {
    scope.log.push(place, { event_type: "FUNCTION_END", name, UUID: function_id, span_event_timestamp: began });
  }
}
