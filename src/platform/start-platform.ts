import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Cleanups, cleanups } from "../lib/cleanups.ts";
import { makeDataDir } from "../lib/data-dir.ts";
import { codeOf, PairwrightError, usageError } from "../lib/errors.ts";
import { writeFileWhole } from "../lib/files.ts";
import { type Lock, takeLock } from "../lib/lock.ts";
import type { Logger } from "../lib/log.ts";
import { readBaseModels } from "./base-models.ts";
import { openCustomizer } from "./customizer/customizer.ts";
import { openDatastore } from "./datastore/datastore.ts";
import { openDeployments } from "./deployments/open-deployments.ts";
import { DEFAULT_NAMESPACE, type EntityStore, entityStore } from "./entities/entity-store.ts";
import { serve } from "./http/serve.ts";
import { modelRepositories } from "./inference/datastore-models.ts";
import { type InferenceOptions, openInference } from "./inference/open-inference.ts";
import { leases } from "./leases.ts";
import { platformMetrics } from "./metrics.ts";
import { platformApp } from "./platform-app.ts";
import type { PlatformContext } from "./platform-context.ts";
import { openDatabase } from "./store/database.ts";
import { newId } from "./store/identifiers.ts";
import { timestamps } from "./store/timestamps.ts";

export interface PlatformOptions {
  /** The data folder; made when it is not there. One platform at a time uses it. */
  dir: string;
  /** 0 is any free one. */
  port: number;
  /** The address to listen at. One that other machines reach needs a token. */
  host: string;
  token?: string | undefined;
  log: Logger;
  inference?: InferenceOptions | undefined;
  /** Model folders to train from and serve, `DIR` or `NAME=DIR`; the base models of the package's examples when not given. */
  models?: readonly string[] | undefined;
  /** Training jobs at a time; one unless told. */
  max_running_jobs?: number | undefined;
}

/** A platform that answers requests. */
export interface Platform {
  readonly origin: string;
  /** The configs that jobs may name, of the model folders it was started with. */
  readonly configs: readonly string[];
  /** Settles when nobody holds a lease any more: time to stop, for a platform that was started for its users. */
  readonly unused: Promise<void>;
  /** Lets running requests end, ten seconds at most; running jobs are left so that the next start goes on with them. */
  stop(): Promise<void>;
}

const STOP_LIMIT_MS = 10_000;
/** A finetune may follow another one, and what serves its model should still be there. */
const LEASES = { grace_ms: 3000, first_ms: 60_000 };

/**
 * Starts the embedded platform: one server with the HTTP contracts of NeMo Microservices v1. Errors: `token_needed`,
 * `platform_running` with the process that has the data folder, `port_taken`, `database_unusable`.
 */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { dir, host, token } = options;
  if (token === undefined && !isLoopback(host)) throw needsToken(host);
  await makeDataDir(dir);
  const opened = cleanups();
  try {
    return { ...(await open(options, opened)), stop: () => opened.run() };
  } catch (error) {
    await opened.run();
    throw error;
  }
}

/** Opens one part after the other; each says how it is closed. */
async function open(
  { dir, host, port, token, log, inference: serving, models, max_running_jobs }: PlatformOptions,
  opened: Cleanups,
): Promise<Omit<Platform, "stop">> {
  const lock = await lockFolder(dir);
  opened.add(() => lock.release());
  const database = openDatabase(join(dir, "platform.db"));
  opened.add(() => database.close());
  let origin = "";
  const context: PlatformContext = {
    database,
    dir,
    origin: () => origin,
    times: timestamps(() => performance.timeOrigin + performance.now()),
    newId,
    log,
    metrics: platformMetrics(),
  };
  const entities = entityStore(database);
  seed(entities, context);
  const held = leases(LEASES);
  const datastore = await openDatastore(context);
  const training = { models: await readBaseModels(models), max_running_jobs };
  const customizer = openCustomizer({ entities, datastore, context }, training);
  const inference = await openInference(context, modelRepositories(datastore), serving);
  opened.add(() => inference.pool.close());
  const deployments = openDeployments(inference, context);
  opened.add(() => deployments.close());
  const app = platformApp({ entities, datastore, customizer, inference, deployments, leases: held }, context, {
    token,
  });
  const listening = await serve(app, { hostname: host, port });
  opened.add(() => listening.close(STOP_LIMIT_MS));
  opened.add(() => customizer.stop(STOP_LIMIT_MS));
  customizer.begin();
  origin = listening.origin;
  // How another process finds this one.
  const address = join(dir, "platform.json");
  await writeFileWhole(address, `${JSON.stringify({ pid: process.pid, origin })}\n`);
  opened.add(() => rm(address, { force: true }));
  // First of all: whoever wants to use the platform now must look for another one.
  opened.add(() => held.end());
  const configs = training.models.map(
    ({ namespace, base, version, machine }) => `${namespace}/${base}@${version}+${machine}`,
  );
  return { origin, configs, unused: held.unused };
}

/** What is there from the first start on. */
function seed({ namespaces }: EntityStore, { times }: PlatformContext): void {
  const stamps = { created_at: times.naive(), updated_at: times.naive() };
  const fields = { description: null, project: null, custom_fields: {}, ownership: null };
  namespaces.insert({ namespace: "", name: DEFAULT_NAMESPACE }, { id: DEFAULT_NAMESPACE, ...stamps, ...fields });
}

async function lockFolder(dir: string): Promise<Lock> {
  try {
    return await takeLock(join(dir, "platform.lock"));
  } catch (error) {
    if (codeOf(error) !== "locked" || !PairwrightError.is(error)) throw error;
    throw usageError({
      code: "platform_running",
      where: dir,
      what: `a platform uses this folder already (${error.what.split(" is ")[0]})`,
      fix: "use that one or stop it, or name another --data folder",
      cause: error,
    });
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function needsToken(host: string): PairwrightError {
  return usageError({
    code: "token_needed",
    where: host,
    what: "other machines could reach the platform there, and nothing would ask who they are",
    fix: "add --token TOKEN (clients send it as Authorization: Bearer TOKEN), or leave --host out",
  });
}
