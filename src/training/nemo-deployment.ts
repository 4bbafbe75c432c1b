import { EXIT, PairwrightError } from "../lib/errors.ts";
import type { DeploymentStatus, JobSteps } from "../registry/training-backend.ts";
import type { DeploymentsClient } from "./clients/deployments.ts";
import type { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";

export interface DeployParts {
  options: NemoCustomizerTrainerAdapterOptions;
  deployments: DeploymentsClient;
  steps: JobSteps;
}

const FAILED = ["failed", "error"];

/**
 * A config of its own for the model, then the deployment. A deployment of that name which serves something else, such as
 * the model of an earlier round, is given the new config, and one that failed is given its own again.
 */
export async function serveModel(
  model: string,
  { options, deployments, steps }: DeployParts,
): Promise<{ name: string }> {
  const { namespace, dataset_name, deployment_config } = options;
  const { image_name, image_tag, gpu, description, deployment_name } = deployment_config;
  const { signal, tag, log } = steps;
  const made = `${dataset_name}-${tag}`;
  const name = deployment_name ?? made;
  const config = `${namespace}/${made}`;
  await steps.step("deployment_config", { name: config, model }, async () => {
    const nim_deployment = { image_name, image_tag, gpu };
    await deployments.createConfig({ namespace, name: made, description, model, nim_deployment }, signal);
    return null;
  });
  return steps.step("deployment", { name: `${namespace}/${name}`, config }, async () => {
    const there = await deployments.deployment(namespace, name, signal);
    if (there === undefined) {
      await deployments.createDeployment({ namespace, name, description, config }, signal);
      log.info(`deploying ${model} as ${namespace}/${name}`);
    } else if (configOf(there.config) !== config) {
      log.info(`the deployment ${namespace}/${name} is there already; from now on it serves ${model}`);
      await deployments.changeConfig(namespace, name, config, signal);
    } else if (FAILED.includes(there.status_details?.status.toLowerCase() ?? "")) {
      log.info(`the deployment ${namespace}/${name} had failed: asking for it once more`);
      await deployments.changeConfig(namespace, name, config, signal);
    }
    return { name };
  });
}

/** A config is echoed by its name, or in full. */
function configOf(config: unknown): string | undefined {
  if (typeof config === "string") return config;
  const { namespace, name } = (config ?? {}) as Record<string, unknown>;
  return typeof name === "string" ? `${String(namespace)}/${name}` : undefined;
}

/** How a deployment stands. Errors: `deployment_gone` (exit 5) when there is none of this name. */
export async function readDeployment(
  deployments: DeploymentsClient,
  { namespace, name }: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<DeploymentStatus> {
  const deployment = await deployments.deployment(namespace, name, signal);
  if (deployment === undefined) {
    throw new PairwrightError({
      code: "deployment_gone",
      where: `deployment ${namespace}/${name}`,
      what: "it is not there any more",
      fix: "somebody deleted it; --resume deploys the model again",
      exit_code: EXIT.training_failed,
    });
  }
  const { status = "unknown", description } = deployment.status_details ?? {};
  const word = status.toLowerCase();
  return {
    name: `${namespace}/${name}`,
    status: word === "ready" ? "ready" : FAILED.includes(word) ? "failed" : "unready",
    backend_status: status,
    message: description || null,
  };
}
