import { Hono } from "hono";
import type { DeploymentConfig, ModelDeployment } from "../../training/wire/deployment.ts";
import type { Inference } from "../inference/open-inference.ts";
import type { PlatformContext } from "../platform-context.ts";
import { collection } from "../store/collection.ts";
import { deploymentConfigRoutes } from "./config-routes.ts";
import { deployer } from "./deployer.ts";
import { modelDeploymentRoutes } from "./deployment-routes.ts";

/** Deployment Management, to be closed before the models that it loads. */
export interface Deployments {
  /** Under `/v1/deployment`. */
  routes: Hono;
  close(): Promise<void>;
}

export function openDeployments(inference: Inference, context: PlatformContext): Deployments {
  const store = {
    configs: collection<DeploymentConfig>(context.database, "deployment_config"),
    deployments: collection<ModelDeployment>(context.database, "model_deployment"),
  };
  const working = deployer(store, inference, context);
  const routes = new Hono();
  routes.route("/configs", deploymentConfigRoutes(store, context));
  routes.route("/model-deployments", modelDeploymentRoutes(store, working, context));
  return { routes, close: () => working.close() };
}
