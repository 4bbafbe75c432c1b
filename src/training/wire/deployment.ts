import { z } from "zod";
import { describedFields, EntityName, NamespaceName, type Stamped } from "./common.ts";

/** Deployment Management: what is to be served, and the deployments that serve it (NeMo Microservices v1). */

/** The model's name, or an object with name and namespace. */
export const DeployedModel = z.union([
  z.string().min(1).max(1024),
  z.looseObject({ name: z.string().min(1).max(1024), namespace: z.string().max(1024).nullish() }),
]);

export const NimDeployment = z.looseObject({
  gpu: z.int().min(0),
  image_name: z.string().max(4096),
  image_tag: z.string().max(1024),
  additional_envs: z.record(z.string(), z.string()).nullish(),
  disable_lora_support: z.boolean().nullish(),
  namespace: z.string().max(1024).nullish(),
  pvc_size: z.string().max(64).nullish(),
});

const placed = { name: EntityName.nullish(), namespace: NamespaceName.nullish() };

const configFields = {
  ...describedFields,
  model: DeployedModel.nullish(),
  nim_deployment: NimDeployment.nullish(),
  external_endpoint: z.looseObject({ host_url: z.string() }).nullish(),
};

export const DeploymentConfigCreate = z.object({ ...placed, ...configFields });
export const DeploymentConfigUpdate = z.object(configFields);

export interface DeploymentConfig extends Stamped {
  schema_version: string;
  id: string;
  name: string;
  namespace: string;
  model?: z.output<typeof DeployedModel>;
  [field: string]: unknown;
}

const deploymentFields = {
  ...describedFields,
  async_enabled: z.boolean().nullish(),
  models: z.array(z.string().max(1024)).max(1000).nullish(),
  /** For models elsewhere; read and let go. */
  hf_token: z.string().nullish(),
};

/** The name of a config (`ns/name`), or a config itself. */
const GivenConfig = z.union([z.string().min(1).max(1024), DeploymentConfigCreate]);

export const ModelDeploymentCreate = z.object({ ...placed, ...deploymentFields, config: GivenConfig });
export const ModelDeploymentUpdate = z.object({ ...deploymentFields, config: GivenConfig.nullish() });

export type DeploymentStatus = "pending" | "ready" | "failed";

export interface ModelDeployment extends Stamped {
  schema_version: string;
  id: string;
  name: string;
  namespace: string;
  config: z.output<typeof GivenConfig>;
  /** Names in full of the models that it serves; empty until they are known. */
  models: string[];
  async_enabled: boolean;
  deployed: boolean;
  status_details: { status: DeploymentStatus; description: string };
  /** Where the model answers; empty until it does. */
  url: string;
  [field: string]: unknown;
}
