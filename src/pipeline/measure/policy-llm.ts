import type { ComponentConfig, Config } from "../../config/config.ts";
import { usageError } from "../../lib/errors.ts";

/**
 * The llm of the configuration that a training makes better: the one that `finetuning.target_model` names, by its key or
 * its model; else the one that the platform serves; else the only one there is. Errors: `which_model`.
 */
export function policyLlm({ file, llms, finetuning: { target_model }, platform }: Config): ComponentConfig {
  const all = Object.values(llms);
  const named = all.filter(({ name, options }) => name === target_model || options.model_name === target_model);
  const candidates = target_model ? named : platform?.serves.length ? all.filter(served(platform.serves)) : all;
  const [only, ...others] = candidates;
  if (only !== undefined && others.length === 0) return only;
  const names = Object.keys(llms).join(", ") || "(there is none)";
  throw usageError({
    code: "which_model",
    where: `${file}: finetuning.target_model`,
    what: target_model
      ? `"${target_model}" names ${named.length === 0 ? "no llm" : "more than one"} of: ${names}`
      : `it is not clear which llm is trained, of: ${names}`,
    fix: "set it to the key of the llm whose replies are trained on",
  });
}

function served(names: readonly string[]): (part: ComponentConfig) => boolean {
  return ({ name }) => names.includes(name);
}

/** The same configuration with another model in an llm's place, served at `base_url` where that is another address. */
export function withModel(
  config: Config,
  llm: string,
  model: { model_name: string; base_url?: string | undefined },
): Config {
  const part = config.llms[llm];
  if (part === undefined) throw new RangeError(`there is no llm ${llm}`);
  const base_url = model.base_url ?? part.options.base_url;
  const { platform_token } = config;
  // A key of another server is nothing for the platform.
  const moves = base_url !== part.options.base_url && platform_token !== undefined;
  const options = {
    ...{ ...part.options, model_name: model.model_name },
    ...(base_url !== undefined && { base_url }),
    ...(moves && { api_key: platform_token }),
  };
  const effective = structuredClone(config.effective);
  const shown = (effective.llms as Record<string, Record<string, unknown>>)[llm];
  if (shown !== undefined) shown.model_name = model.model_name;
  return { ...config, llms: { ...config.llms, [llm]: { ...part, options } }, effective };
}
