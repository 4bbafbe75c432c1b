import { z } from "zod";
import type { DeploymentConfigCreate, ModelDeploymentCreate } from "../wire/deployment.ts";
import { namedPath, oddAnswer, RefusedError, type Service } from "./service.ts";

const CONFIGS = "/v1/deployment/configs";
const DEPLOYMENTS = "/v1/deployment/model-deployments";

/** A deployment as far as a client needs it. */
export const KnownDeployment = z.looseObject({
  name: z.string().nullish(),
  /** `ns/name`, or the config itself. */
  config: z.unknown().optional(),
  status_details: z.looseObject({ status: z.string(), description: z.string().nullish() }).nullish(),
});
export type KnownDeployment = z.output<typeof KnownDeployment>;

/** Client of Deployment Management. */
export function deploymentsClient(service: Service) {
  /** What is there already is told by 409, and by older services by 500 with these words. False when it was there. */
  async function create(path: string, body: object, signal: AbortSignal): Promise<boolean> {
    try {
      return (
        (await service.call({ method: "POST", path, body, accept: [409], repeatable: true, signal })).status !== 409
      );
    } catch (error) {
      if (error instanceof RefusedError && /already exists/i.test(error.what)) return false;
      throw error;
    }
  }

  return {
    createConfig: (config: z.input<typeof DeploymentConfigCreate>, signal: AbortSignal) =>
      create(CONFIGS, config, signal),
    createDeployment: (deployment: z.input<typeof ModelDeploymentCreate>, signal: AbortSignal) =>
      create(DEPLOYMENTS, deployment, signal),

    /** Lets a deployment serve another config. */
    async changeConfig(namespace: string, name: string, config: string, signal: AbortSignal): Promise<void> {
      const path = namedPath(DEPLOYMENTS, namespace, name);
      await service.call({ method: "PATCH", path, body: { config }, repeatable: true, signal });
    },

    /** One that is not there is fine. */
    async remove(namespace: string, name: string, signal: AbortSignal): Promise<void> {
      const path = namedPath(DEPLOYMENTS, namespace, name);
      await service.call({ method: "DELETE", path, accept: [404], repeatable: true, signal });
    },

    /** Undefined when there is none of this name. */
    async deployment(namespace: string, name: string, signal: AbortSignal): Promise<KnownDeployment | undefined> {
      const path = namedPath(DEPLOYMENTS, namespace, name);
      const { status, body } = await service.call({ method: "GET", path, accept: [404], tries: 1, signal });
      if (status === 404) return undefined;
      const deployment = KnownDeployment.safeParse(body);
      if (deployment.success) return deployment.data;
      throw oddAnswer(`GET ${service.endpoint}${path}`, "the answer is no model deployment");
    },
  };
}
export type DeploymentsClient = ReturnType<typeof deploymentsClient>;
