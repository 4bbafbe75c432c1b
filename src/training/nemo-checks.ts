import { z } from "zod";
import { didYouMean } from "../lib/suggest.ts";
import type { BackendCheck, Finding } from "../registry/training-backend.ts";
import { oddAnswer, type Service } from "./clients/service.ts";
import type { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";

const KnownConfig = z.looseObject({
  name: z.string(),
  namespace: z.string(),
  max_seq_length: z.number().nullish(),
  /** Its name, or the target itself. */
  target: z.unknown().optional(),
  training_options: z.array(z.looseObject({ training_type: z.string(), finetuning_type: z.string() })).nullish(),
});
type KnownConfig = z.output<typeof KnownConfig>;
const Listed = z.object({ data: z.array(KnownConfig) });

export interface ChecksParts {
  options: NemoCustomizerTrainerAdapterOptions;
  /** Of `entity_host`. */
  platform: Service;
  datastore: Service;
}

/** What can be seen of the services before anything is sent to them. Only `GET`s. */
export function nemoChecks({ options, platform, datastore }: ChecksParts): BackendCheck[] {
  const { customization_config, hyperparameters, deploy_on_completion } = options;
  // Two checks need it, and one request tells.
  let asked: Promise<KnownConfig[]> | undefined;
  const configs = (signal: AbortSignal) => {
    asked ??= listConfigs(platform, signal);
    return asked;
  };
  return [
    { name: "entity_store", look: (signal) => namespaceIn(platform, "/v1/namespaces", options, signal) },
    { name: "datastore", look: (signal) => namespaceIn(datastore, "/v1/datastore/namespaces", options, signal) },
    {
      name: "customization_config",
      async look(signal) {
        const known = await configs(signal);
        return await configFinding(customization_config, known, (name) => readTarget(platform, name, signal));
      },
    },
    {
      name: "hyperparameters",
      async look(signal) {
        const found = named(customization_config, await configs(signal));
        return optionFinding(found, hyperparameters);
      },
    },
    ...(hyperparameters.pairwright === undefined
      ? []
      : [{ name: "hyperparameters.pairwright", look: (signal: AbortSignal) => extensionFinding(platform, signal) }]),
    ...(deploy_on_completion
      ? [{ name: "deployments", look: (signal: AbortSignal) => deploymentsFinding(platform, signal) }]
      : []),
  ];
}

async function namespaceIn(
  service: Service,
  path: string,
  { namespace, create_namespace_if_missing }: NemoCustomizerTrainerAdapterOptions,
  signal: AbortSignal,
): Promise<Finding> {
  const { status } = await service.call({
    ...{ method: "GET", path: `${path}/${encodeURIComponent(namespace)}`, accept: [404], tries: 1, signal },
  });
  const place = `${service.endpoint} answers`;
  if (status !== 404) return { status: "ok", detail: `${place}, and has the namespace ${namespace}` };
  if (create_namespace_if_missing) return { status: "ok", detail: `${place}; the namespace ${namespace} will be made` };
  return {
    status: "failed",
    detail: `${place}, and has no namespace ${namespace}: create it, or set create_namespace_if_missing: true`,
  };
}

async function listConfigs(service: Service, signal: AbortSignal): Promise<KnownConfig[]> {
  const path = "/v1/customization/configs?page_size=1000";
  const { body } = await service.call({ method: "GET", path, tries: 1, signal });
  const listed = Listed.safeParse(body);
  if (!listed.success) throw oddAnswer(`GET ${service.endpoint}${path}`, "the answer is no list of configs");
  return listed.data.data;
}

const fullName = ({ namespace, name }: KnownConfig) => `${namespace}/${name}`;

/** A name without its namespace, its version or its machine is enough where one config has it. */
function named(name: string, configs: readonly KnownConfig[]): KnownConfig[] {
  const exact = configs.filter((config) => fullName(config) === name || fullName(config) === `default/${name}`);
  if (exact.length > 0) return exact;
  const begins = (whole: string) => whole.startsWith(`${name}@`) || whole.startsWith(`${name}+`);
  return configs.filter((config) => begins(fullName(config)) || begins(config.name) || config.name === name);
}

async function configFinding(
  name: string,
  configs: readonly KnownConfig[],
  targetOf: (name: string) => Promise<unknown>,
): Promise<Finding> {
  const [only, ...others] = named(name, configs);
  const names = configs.map(fullName);
  if (only === undefined) {
    const there = names.length === 0 ? "create one in the Customizer first" : `name one of: ${names.join(", ")}`;
    return {
      status: "failed",
      detail: `the Customizer has no config "${name}".${didYouMean(name, names)} (${there})`,
    };
  }
  if (others.length > 0) {
    const could = [only, ...others].map(fullName).join(", ");
    return { status: "failed", detail: `"${name}" could be any of ${could}; name one of them in full` };
  }
  const target = Target.safeParse(typeof only.target === "string" ? await targetOf(only.target) : only.target).data;
  if (target?.enabled === false) {
    return {
      status: "failed",
      detail: `${fullName(only)} is there, and its target ${target.name ?? ""} is switched off (enabled: false): a job would be refused; switch it on, or name another config`,
    };
  }
  const length = only.max_seq_length ? `, ${only.max_seq_length} tokens a row at most` : "";
  return { status: "ok", detail: `${fullName(only)} is there${length}` };
}

const Target = z.looseObject({ name: z.string().nullish(), enabled: z.boolean().nullish() });

async function readTarget(service: Service, name: string, signal: AbortSignal): Promise<unknown> {
  const path = `/v1/customization/targets/${name.split("/").map(encodeURIComponent).join("/")}`;
  const { status, body } = await service.call({ method: "GET", path, accept: [404], tries: 1, signal });
  return status === 404 ? undefined : body;
}

/** What other platforms than our own make of settings that NeMo does not have. */
async function extensionFinding(service: Service, signal: AbortSignal): Promise<Finding> {
  const { body } = await service.call({ method: "GET", path: "/", accept: NO_WELCOME, tries: 1, signal });
  const { name } = (body ?? {}) as { name?: unknown };
  if (String(name).includes("pairwright")) return { status: "ok", detail: "this platform takes them" };
  return {
    status: "failed",
    detail: `${service.endpoint} is no embedded platform, and NeMo's Customizer refuses a job with them: leave hyperparameters.pairwright out`,
  };
}

/** What a service answers that has nothing at its root. */
const NO_WELCOME = [301, 302, 303, 307, 308, 403, 404, 405];

function optionFinding(
  [config]: readonly KnownConfig[],
  { training_type, finetuning_type }: NemoCustomizerTrainerAdapterOptions["hyperparameters"],
): Finding {
  const wanted = `${training_type} with ${finetuning_type}`;
  if (config === undefined) return { status: "skipped", detail: "there is no config to compare them with" };
  const options = config.training_options ?? [];
  if (options.length === 0) return { status: "unknown", detail: `${fullName(config)} does not say what it can do` };
  const kinds = options.map((option) => `${option.training_type} with ${option.finetuning_type}`);
  if (kinds.includes(wanted)) return { status: "ok", detail: `${fullName(config)} does ${wanted}` };
  return {
    status: "failed",
    detail: `${fullName(config)} does not do ${wanted}: set training_type and finetuning_type to ${kinds.join(", or ")}`,
  };
}

async function deploymentsFinding(service: Service, signal: AbortSignal): Promise<Finding> {
  const path = "/v1/deployment/model-deployments?page_size=1";
  const { status } = await service.call({ method: "GET", path, accept: [404], tries: 1, signal });
  if (status !== 404) return { status: "ok", detail: `${service.endpoint} answers` };
  return {
    status: "warning",
    detail: `${service.endpoint} has no Deployment Management: a trained model could not be deployed`,
  };
}
