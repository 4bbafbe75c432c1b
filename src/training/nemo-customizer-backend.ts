import { usageError } from "../lib/errors.ts";
import type { TrainingBackend } from "../registry/training-backend.ts";
import { customizerClient } from "./clients/customizer.ts";
import { deploymentsClient } from "./clients/deployments.ts";
import { createService, RefusedError } from "./clients/service.ts";
import { nemoChecks } from "./nemo-checks.ts";
import type { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";
import type { AdapterSurroundings } from "./nemo-customizer-trainer-adapter.ts";
import { readDeployment, serveModel } from "./nemo-deployment.ts";
import { readJob, readLogs, readStatus } from "./nemo-job-status.ts";
import { submitJob } from "./nemo-submit.ts";
import { uploadDataset } from "./nemo-upload.ts";

/**
 * NeMo Microservices v1: data sets go to the Datastore and the Entity Store, jobs to the Customizer, models to Deployment
 * Management. The services of `entity_host` get `api_key` or else NGC_API_KEY, the data store `hf_token` or else HF_TOKEN.
 */
export function nemoCustomizerBackend(
  options: NemoCustomizerTrainerAdapterOptions,
  { env, clock, timeout_ms }: AdapterSurroundings,
): TrainingBackend {
  const { entity_host, datastore_host, api_key, hf_token, namespace } = options;
  const platform = createService({
    ...{ name: "NeMo Customizer", base_url: entity_host, clock, timeout_ms },
    ...{ token: api_key.trim() || (env.NGC_API_KEY?.trim() ?? ""), token_name: "NGC_API_KEY or api_key" },
  });
  const datastore = createService({
    ...{ name: "NeMo Datastore", base_url: datastore_host, clock, timeout_ms },
    ...{ token: hf_token.trim() || (env.HF_TOKEN?.trim() ?? ""), token_name: "HF_TOKEN or hf_token" },
  });
  const customizer = customizerClient(platform);
  const deployments = deploymentsClient(platform);
  const { poll_interval_seconds, max_consecutive_status_failures, deployment_timeout_seconds } = options;
  return {
    place: platform.endpoint,
    deploy_on_completion: options.deploy_on_completion,
    polling: { poll_interval_seconds, max_consecutive_status_failures, deployment_timeout_seconds },
    async submit(files, steps) {
      const { keep } = await uploadDataset(files, { options, platform, datastore, steps });
      return submitJob({ options, customizer, steps, keepDataset: keep });
    },
    status: (id, signal) => ofJob(id, () => readStatus(customizer, id, signal)),
    cancel: (id, signal) =>
      ofJob(id, async () => {
        await customizer.cancelJob(id, signal);
        return readStatus(customizer, id, signal);
      }),
    logs: (id, signal) => ofJob(id, async () => readLogs(await customizer.logs(id, signal))),
    async list(signal) {
      const found = [];
      for await (const job of customizer.jobs(namespace, signal)) found.push(readJob(job, undefined));
      return found;
    },
    deploy: (model, steps) => serveModel(model, { options, deployments, steps }),
    checks: nemoChecks({ options, platform, datastore }),
    deployment: (name, signal) => readDeployment(deployments, { namespace, name }, signal),
    undeploy: (name, signal) => deployments.remove(namespace, name.replace(`${namespace}/`, ""), signal),
    close() {
      platform.close();
      datastore.close();
    },
  };
}

/** What a refusal means where a job was named: that there is none, or that it has ended. */
async function ofJob<T>(id: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof RefusedError) || (error.status !== 404 && error.status !== 409)) throw error;
    const is_gone = error.status === 404;
    throw usageError({
      code: is_gone ? "job_not_found" : "job_has_ended",
      where: `job ${id}`,
      what: is_gone ? "the Customizer has no such job" : error.what,
      fix: is_gone ? "see `pairwright jobs list`" : "there is nothing to cancel; see `pairwright jobs show`",
      cause: error,
    });
  }
}
