import { messageOf, PairwrightError } from "../../lib/errors.ts";
import type { DeploymentConfig, DeploymentStatus, ModelDeployment } from "../../training/wire/deployment.ts";
import type { ServedModel } from "../inference/model-names.ts";
import type { Inference } from "../inference/open-inference.ts";
import type { PlatformContext } from "../platform-context.ts";
import type { Collection, EntityKey } from "../store/collection.ts";
import { configOf, modelOf } from "./deployed-model.ts";

/** What deployments are kept in. */
export interface DeploymentStore {
  configs: Collection<DeploymentConfig>;
  deployments: Collection<ModelDeployment>;
}

/** Brings deployments up and takes them down. */
export interface Deployer {
  /**
   * Loads the model of a deployment that is pending, and so checks it; then the deployment is ready or failed. What it served
   * before it serves until then, and goes on to where the new model cannot be loaded.
   */
  begin(key: EntityKey): void;
  /** Lets the model of a deployment that is gone go. */
  end(deployment: ModelDeployment): void;
  /** Stops what is being loaded: the next start goes on with it. */
  close(): Promise<void>;
}

/** Goes on with what was pending when the platform stopped; models of ready deployments are loaded when they are called. */
export function deployer(store: DeploymentStore, { names, pool }: Inference, context: PlatformContext): Deployer {
  const { deployments, configs } = store;
  const { times, log, origin } = context;
  const working = new Map<string, { stop: AbortController; done: Promise<void> }>();
  /** What was loaded, also when its entity is gone by the time it is to be let go. */
  const loaded = new Map<string, ServedModel>();

  function settle(key: EntityKey, status: DeploymentStatus, description: string, change: Partial<ModelDeployment>) {
    const deployment = deployments.get(key);
    // Deleted meanwhile.
    if (deployment === undefined) return;
    const status_details = { status, description };
    deployments.put(key, { ...deployment, ...change, status_details, updated_at: times.zoned() });
  }

  async function deploy(key: EntityKey, signal: AbortSignal): Promise<void> {
    const deployment = deployments.get(key);
    if (deployment === undefined) return;
    const { deployed, models } = deployment;
    const before = deployed ? models : [];
    try {
      const name = modelOf(configOf(deployment, configs));
      if (name === undefined) throw new RangeError("the deployment's config names no model");
      const model = names.find(name, { deployed: false });
      // From now on a first model can be called: who does so waits for it.
      const until = before.length === 0 ? "" : `; until then it serves ${before.join(", ")}`;
      settle(key, "pending", `Loading ${model.id}${until}`, before.length === 0 ? { models: [model.id] } : {});
      loaded.set(model.id, model);
      await pool.load(model, signal);
      signal.throwIfAborted();
      const description = `Deployment "${key.namespace}/${key.name}" serves ${model.id}.`;
      settle(key, "ready", description, { models: [model.id], deployed: true, url: `${origin()}/nim` });
      letGo(before);
    } catch (error) {
      if (signal.aborted) return;
      log.warn(`deployment ${key.namespace}/${key.name} failed: ${messageOf(error)}`);
      // Where it lies on this machine is for the log alone.
      const why = PairwrightError.is(error) ? error.what : messageOf(error);
      if (before.length === 0) settle(key, "failed", why, { deployed: false, url: "" });
      else settle(key, "failed", `${why}; it still serves ${before.join(", ")}`, {});
    }
  }

  function begin(key: EntityKey): void {
    stopWork(key);
    const stop = new AbortController();
    const done = deploy(key, stop.signal);
    working.set(idOf(key), { stop, done });
    void done.finally(() => {
      if (working.get(idOf(key))?.done === done) working.delete(idOf(key));
    });
  }

  function stopWork(key: EntityKey): void {
    working.get(idOf(key))?.stop.abort();
    working.delete(idOf(key));
  }

  /** Models that no deployment serves any more leave memory. */
  function letGo(models: readonly string[]): void {
    const served = new Set(deployments.all().flatMap((deployment) => deployment.models));
    for (const id of models.filter((model) => !served.has(model))) {
      const model = loaded.get(id) ?? known(id, names);
      loaded.delete(id);
      if (model) void pool.unload(model).catch((error: unknown) => log.warn(`${id}: ${messageOf(error)}`));
    }
  }

  for (const deployment of deployments.all()) if (deployment.status_details.status === "pending") begin(deployment);

  return {
    begin,
    end(deployment) {
      stopWork(deployment);
      letGo(deployment.models);
    },
    async close() {
      const all = [...working.values()];
      for (const { stop } of all) stop.abort();
      await Promise.all(all.map(({ done }) => done));
    },
  };
}

/** A model that was loaded when it was called, after a restart. */
function known(id: string, names: Inference["names"]): ServedModel | undefined {
  try {
    return names.find(id, { deployed: false });
  } catch {
    // Its entity is gone; it leaves memory when others need room.
    return undefined;
  }
}

function idOf({ namespace, name }: EntityKey): string {
  return `${namespace}/${name}`;
}
