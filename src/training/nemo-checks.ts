import { z } from "zod";
import { usageError } from "../lib/errors.ts";
import type { BackendCheck, Finding } from "../registry/training-backend.ts";
import { customizerClient } from "./clients/customizer.ts";
import { oddAnswer, RefusedError, type Service } from "./clients/service.ts";
import type { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";
import { configNotFound, jobRefused, namespaceNotFound } from "./nemo-faults.ts";

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

/**
 * What can be seen of the services before anything is sent to them. Only `GET`s, each sent once. A check that fails throws
 * the error that the training would end with.
 */
export function nemoChecks({ options, platform, datastore }: ChecksParts): BackendCheck[] {
  const { customization_config, hyperparameters, deploy_on_completion } = options;
  // Two checks need it, and one request tells. What failed is asked again by the next look.
  let asked: Promise<KnownConfig[] | null> | undefined;
  const configs = (signal: AbortSignal) => {
    asked ??= listConfigs(platform, signal).finally(() => {
      asked = undefined;
    });
    return asked;
  };
  return [
    {
      name: "entity_store",
      look: (signal) => namespaceIn(platform, "the Entity Store", "/v1/namespaces", options, signal),
    },
    {
      name: "datastore",
      look: (signal) => namespaceIn(datastore, "the Datastore", "/v1/datastore/namespaces", options, signal),
    },
    {
      name: "customization_config",
      look: async (signal) => configFinding(platform, customization_config, await configs(signal), signal),
    },
    {
      name: "hyperparameters",
      async look(signal) {
        const known = (await configs(signal)) ?? [];
        return optionFinding(named(customization_config, known), hyperparameters);
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
  store: string,
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
  throw namespaceNotFound(store, service.endpoint, namespace);
}

/** What a service answers that has such a thing not, or not for us; who may not look may train all the same. */
const NOT_TOLD = [403, 404, 405];

/** Null where the service takes jobs and does not say what it has: some stand-ins for it do not. */
async function listConfigs(service: Service, signal: AbortSignal): Promise<KnownConfig[] | null> {
  const path = "/v1/customization/configs?page_size=1000";
  try {
    const { body } = await service.call({ method: "GET", path, tries: 1, signal });
    const listed = Listed.safeParse(body);
    if (!listed.success) throw oddAnswer(`GET ${service.endpoint}${path}`, "the answer is no list of configs");
    return listed.data.data;
  } catch (error) {
    if (error instanceof RefusedError && NOT_TOLD.includes(error.status)) return null;
    throw error;
  }
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
  service: Service,
  name: string,
  known: readonly KnownConfig[] | null,
  signal: AbortSignal,
): Promise<Finding> {
  if (known === null) {
    const detail = `${service.endpoint} does not list its configs: whether it has ${name} shows when the job is created`;
    return { status: "unknown", detail };
  }
  const found = named(name, known);
  if (found.length === 0) {
    // A list may be a page of it.
    const asked = await customizerClient(service).hasConfig(name, signal);
    if (!asked.found) throw configNotFound(name, known.map(fullName));
    return { status: "ok", detail: `${name} is there` };
  }
  const targets = await Promise.all(found.map(({ target }) => readTarget(service, target, signal)));
  // One that is switched off is not what somebody means who says little.
  const enabled = found.filter((_, at) => targets[at]?.enabled !== false);
  const [only, ...others] = enabled;
  if (only === undefined) throw switchedOff(found.map(fullName).join(", "), targets[0]?.name ?? "");
  if (others.length > 0) {
    const could = enabled.map(fullName).join(", ");
    throw jobRefused("customization_config", `"${name}" could be any of ${could}`, "name one of them in full");
  }
  const length = only.max_seq_length ? `, ${only.max_seq_length} tokens a row at most` : "";
  return { status: "ok", detail: `${fullName(only)} is there${length}` };
}

function switchedOff(config: string, target: string) {
  return usageError({
    code: "job_conflict",
    where: "customization_config",
    what: `${config} is there, and its target ${target} is switched off (enabled: false): a job would be refused`,
    fix: "switch it on, or name another config",
  });
}

const Target = z.looseObject({ name: z.string().nullish(), enabled: z.boolean().nullish() });

/** The target that a config holds or names; undefined where nobody there knows it, which is the platform's business. */
async function readTarget(service: Service, target: unknown, signal: AbortSignal) {
  if (typeof target !== "string") return Target.safeParse(target).data;
  const path = `/v1/customization/targets/${target.split("/").map(encodeURIComponent).join("/")}`;
  const { status, body } = await service.call({ method: "GET", path, accept: NOT_TOLD, tries: 1, signal });
  return NOT_TOLD.includes(status) ? undefined : Target.safeParse(body).data;
}

/** What other platforms than our own make of settings that NeMo does not have. */
async function extensionFinding(service: Service, signal: AbortSignal): Promise<Finding> {
  const { body } = await service.call({ method: "GET", path: "/", accept: NO_WELCOME, tries: 1, signal });
  const { name } = (body ?? {}) as { name?: unknown };
  if (String(name).includes("pairwright")) return { status: "ok", detail: "this platform takes them" };
  throw jobRefused(
    "hyperparameters.pairwright",
    `${service.endpoint} is no embedded platform, and NeMo's Customizer refuses a job with these settings`,
    "leave hyperparameters.pairwright out",
  );
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
  throw jobRefused(
    "hyperparameters",
    `${fullName(config)} does not do ${wanted}`,
    `set training_type and finetuning_type to ${kinds.join(", or ")}`,
  );
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
