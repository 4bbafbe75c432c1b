import type { Clock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import type { ChatModel } from "../../registry/chat-model.ts";
import { createRegistry } from "../../registry/registry.ts";
import { type LlmServices, registerLlms } from "../register-llms.ts";

/** A clock that only sleeping moves, and notes for how long. */
export function fakeClock(start = 0): Clock & { slept: number[] } {
  let now = start;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    sleep: (ms, signal) => {
      if (signal?.aborted) return Promise.reject(signal.reason);
      slept.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
}

/** A model as the configuration would build it: through the registry and its schema. */
export function modelFor(
  options: Record<string, unknown>,
  services: Partial<LlmServices> = {},
  type: "openai" | "nim" = "openai",
): ChatModel {
  const registry = createRegistry();
  registerLlms(registry, { env: {}, clock: fakeClock(), random: () => 1, ...services });
  const component = registry.find("llm", type)?.component;
  if (component === undefined) throw new Error(`${type} is not registered`);
  const nothing = () => {
    throw new Error("a model names no other component");
  };
  const built = component.build({
    options: component.options.parse({ model_name: "test-model", ...options }),
    name: "test",
    llm: nothing,
    function: nothing,
    search: nothing,
    edit: nothing,
    scorer: nothing,
    selector: nothing,
    evaluator: nothing,
    path: (written: string) => written,
    log: silentLogger,
  } as Parameters<typeof component.build>[0]);
  return built as ChatModel;
}
