import type { DeploymentConfig, ModelDeployment } from "../../training/wire/deployment.ts";
import { notFound } from "../http/http-fault.ts";
import type { Collection, EntityKey } from "../store/collection.ts";

/** The name of the model that a config is about; undefined where it names none. */
export function modelOf({ model }: { model?: DeploymentConfig["model"] | null | undefined }): string | undefined {
  if (model === undefined || model === null) return undefined;
  if (typeof model === "string") return model;
  return model.name.includes("/") ? model.name : `${model.namespace ?? "default"}/${model.name}`;
}

/** The config of a deployment: its own, or the one that it names. Errors: 404. */
export function configOf(
  { config }: { config: ModelDeployment["config"] | string },
  configs: Collection<DeploymentConfig>,
): { model?: DeploymentConfig["model"] | null | undefined } {
  if (typeof config !== "string") return config;
  const found = configs.get(keyOf(config));
  if (found === undefined) throw notFound(`Deployment config ${config}`);
  return found;
}

/** The parts of `ns/name`; what has no namespace lies in `default`. */
function keyOf(name: string): EntityKey {
  const slash = name.indexOf("/");
  return slash === -1
    ? { namespace: "default", name }
    : { namespace: name.slice(0, slash), name: name.slice(slash + 1) };
}
