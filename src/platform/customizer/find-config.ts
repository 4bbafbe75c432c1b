import type { ConfigCreate } from "../../training/wire/customizer.ts";
import { badField, conflict, type HttpFault, notFound } from "../http/http-fault.ts";
import type { CustomizerStore } from "./customizer-store.ts";
import { fullName, keyOf, type StoredConfig, type StoredTarget } from "./stored.ts";

/**
 * The config that a job names: exactly, or by the beginning of a name up to its `@` or `+`, with the namespace or without,
 * where only one begins so. Errors: 404, or 422 with the names that it could be.
 */
export function findConfig({ configs }: CustomizerStore, name: string): StoredConfig {
  const exact = configs.get(keyOf(name));
  if (exact !== undefined) return exact;
  const all = configs.all();
  const named = all.filter((config) => beginsWith(fullName(config), name) || beginsWith(config.name, name));
  // A config whose target is switched off is not what somebody means who says little.
  const enabled = named.filter(({ target_enabled }) => target_enabled);
  const found = enabled.length > 0 ? enabled : named;
  const [only, ...others] = found;
  if (only === undefined) throw notFound(`Customization config ${name}`);
  if (others.length > 0) {
    throw badField("config", `${name} could be any of ${found.map(fullName).join(", ")}; name one of them in full`);
  }
  return only;
}

function beginsWith(whole: string, name: string): boolean {
  return whole === name || whole.startsWith(`${name}@`) || whole.startsWith(`${name}+`);
}

/** What a job needs of a config. */
export interface UsedConfig
  extends Pick<
    StoredConfig,
    "max_seq_length" | "training_options" | "prompt_template" | "target" | "training_precision"
  > {}

/** A config that came with a job and is kept nowhere else. */
export function inlineConfig(given: ConfigCreate): UsedConfig {
  const { target, max_seq_length, training_options, training_precision } = given;
  if (typeof target !== "string") throw badField("config.target", "name a target of this platform: namespace/name");
  if (given.chat_prompt_template) throw noChatTemplate("config.chat_prompt_template");
  return {
    max_seq_length,
    training_options,
    prompt_template: given.prompt_template ?? DEFAULT_PROMPT_TEMPLATE,
    target,
    ...(training_precision && { training_precision }),
  };
}

export const DEFAULT_PROMPT_TEMPLATE = "{prompt} {completion}";

export function noChatTemplate(field: string): HttpFault {
  return badField(field, "conversations are written as the model's own chat template has it; leave this out");
}

/** The target of a job, when it can be trained. Errors: 404 for none, 409 while it is not ready or switched off. */
export function readyTarget({ targets }: CustomizerStore, name: string): StoredTarget {
  const target = targets.get(keyOf(name));
  if (target === undefined) throw notFound(`Customization target ${name}`);
  if (!target.enabled) throw conflict(`Target ${name} is not enabled`);
  if (target.status === "ready") return target;
  const busy = target.status === "pending" || target.status === "downloading";
  throw conflict(
    busy
      ? `Model ${name} is downloading to cache, try again later`
      : `Target ${name} is ${target.status}${typeof target.status_message === "string" ? `: ${target.status_message}` : ""}`,
  );
}
