import type { ComponentConfig, Config } from "../../config/config.ts";
import { didYouMean } from "../../lib/suggest.ts";
import { listModels, type ServedModel } from "../../llms/list-models.ts";
import type { ModelOptions } from "../../llms/options.ts";
import { identityOf, KEY_VARIABLES } from "../../llms/register-llms.ts";
import type { BackendCheck, Finding } from "../../registry/training-backend.ts";
import { failed, ok, skipped, unknown, warning } from "./check.ts";

export interface ModelChecksParts {
  config: Config;
  env: Record<string, string | undefined>;
  /** The base URL of a platform that does not run: nobody is to be asked there. */
  absent: string | undefined;
}

/** Whether each model's server answers, takes the key, and serves the model; and the one that will serve trained models. */
export function modelChecks({ config, env, absent }: ModelChecksParts): BackendCheck[] {
  const checks = Object.values(config.llms).map(
    (part): BackendCheck => ({
      name: `llms.${part.name}`,
      async look(signal) {
        const { type, name } = part;
        if (!isBuiltin(type)) return unknown(`a ${type} comes from a plugin: nobody here knows how to ask it`);
        const options = part.options as ModelOptions;
        if (options.base_url === absent) return skipped(NOT_RUNNING);
        const there = await listModels(options, identityOf(type, { ...options, name }, env), signal);
        return finding(options, there);
      },
    }),
  );
  return [...checks, ...servingChecks(config, env, absent)];
}

const NOT_RUNNING = "the embedded platform does not run; finetune starts it";

/** Trained models are asked for at the platform's own address, which need not be that of any llm. */
function servingChecks({ llms, nim_url }: Config, env: ModelChecksParts["env"], absent: string | undefined) {
  const [part]: (ComponentConfig | undefined)[] = Object.values(llms).filter(({ type }) => isBuiltin(type));
  if (nim_url === undefined || part === undefined) return [];
  const check: BackendCheck = {
    name: "nim",
    async look(signal) {
      if (nim_url === absent) return skipped(NOT_RUNNING);
      const options = { ...(part.options as ModelOptions), base_url: nim_url };
      const there = await listModels(options, identityOf("nim", { ...options, name: "nim" }, env), signal);
      return ok(`${nim_url} answers${there === undefined ? "" : `, and serves ${there.length} models now`}`);
    },
  };
  return [check];
}

function isBuiltin(type: string): type is keyof typeof KEY_VARIABLES {
  return Object.hasOwn(KEY_VARIABLES, type);
}

function finding({ base_url, model_name }: ModelOptions, there: readonly ServedModel[] | undefined): Finding {
  if (there === undefined) return unknown(`${base_url} answers, and does not list its models`);
  const names = there.map(({ id }) => id);
  if (names.includes(model_name) || names.includes(`${model_name}:latest`)) {
    return ok(`${base_url} serves ${model_name}`);
  }
  const some = names.length > 10 ? `${names.slice(0, 10).join(", ")}, …` : names.join(", ");
  const text = `${base_url} does not list "${model_name}".${didYouMean(model_name, names)} (there: ${some || "none"})`;
  // It serves its one model under any name.
  return there.some(({ owned_by }) => owned_by === "llamacpp") ? warning(text) : failed(text);
}
