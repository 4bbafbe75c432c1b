import type { Registry } from "../registry/registry.ts";
import { type ClientIdentity, type ClientServices, createChatClient } from "./chat-client.ts";
import { NimOptions, OpenaiOptions } from "./options.ts";

/** What the models of a run share. */
export interface LlmServices extends Omit<ClientServices, "log"> {
  /** The environment, for the keys that the configuration does not give. */
  env: Readonly<Record<string, string | undefined>>;
}

/** Adds the built-in model types to the table: `openai` and `nim`, one client with two sets of defaults. */
export function registerLlms(registry: Registry, services: LlmServices): void {
  registry.llm("openai", {
    description: "Any server that speaks OpenAI's chat completions.",
    options: OpenaiOptions,
    build: ({ options, name, log }) =>
      createChatClient(options, identityOf("openai", { ...options, name }, services.env), { ...services, log }),
  });
  registry.llm("nim", {
    description: "NVIDIA's inference microservices, hosted or one's own.",
    options: NimOptions,
    build: ({ options, name, log }) =>
      createChatClient(options, identityOf("nim", { ...options, name }, services.env), { ...services, log }),
  });
}

/** The types, with the variable of the environment that holds the key unless the configuration gives one. */
export const KEY_VARIABLES = { openai: "OPENAI_API_KEY", nim: "NVIDIA_API_KEY" } as const;

/** Who calls a model's server. */
export function identityOf(
  type: keyof typeof KEY_VARIABLES,
  { name, api_key }: { name: string; api_key?: string | undefined },
  env: LlmServices["env"],
): ClientIdentity {
  const key_variable = KEY_VARIABLES[type];
  // An empty key is what `${KEY:-}` leaves of an unset variable; a line break is what a key file ends with.
  const key = api_key?.trim() || env[key_variable]?.trim() || undefined;
  return { name, key, key_variable };
}
