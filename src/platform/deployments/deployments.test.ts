import { Hono } from "hono";
import { expect, test } from "vitest";
import type { ModelDeployment } from "../../training/wire/deployment.ts";
import { answerFaults, detailBody } from "../http/fault-response.ts";
import { fakeLoader } from "../inference/__fixtures__/fake-loader.ts";
import { ModelNames } from "../inference/model-names.ts";
import { ModelPool } from "../inference/model-pool.ts";
import { platformMetrics } from "../metrics.ts";
import type { PlatformContext } from "../platform-context.ts";
import { collection } from "../store/collection.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { newId } from "../store/identifiers.ts";
import { timestamps } from "../store/timestamps.ts";
import { openDeployments } from "./open-deployments.ts";

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/** Lets everything go on that need not wait. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Deployment Management over models without weights: `local/base` and the trained `me/w@cust-1`. */
function management({ database = seeded(), broken = [] as string[] } = {}) {
  const loader = fakeLoader({ broken });
  const { open } = loader;
  let held: Promise<void> = Promise.resolve();
  loader.open = async (...asked) => {
    await held;
    return await open(...asked);
  };
  const pool = new ModelPool({ loader, memory_bytes: 1000, max_pending: 10, onCrash: () => undefined });
  const inference = {
    names: new ModelNames(database, { commitOf: (_, revision) => revision }),
    pool,
    newSeed: () => 1,
    newAnswerId: () => "x",
  };
  const context: PlatformContext = {
    database,
    dir: "",
    origin: () => "http://here",
    times: timestamps(() => 1),
    newId,
    log,
    metrics: platformMetrics(),
  };
  const deployments = openDeployments(inference, context);
  const app = new Hono();
  app.onError(answerFaults(detailBody, log));
  app.route("/", deployments.routes);
  return {
    database,
    loader,
    names: inference.names,
    close: deployments.close,
    /** Lets no model be loaded until it is released. */
    hold(): () => void {
      let release = (): void => undefined;
      held = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    // biome-ignore lint: tests look into answers of every shape
    async call(method: string, path: string, body?: unknown): Promise<{ status: number; headers: Headers; body: any }> {
      const answer = await app.request(path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
      return { status: answer.status, headers: answer.headers, body: await answer.json() };
    },
  };
}

function seeded(): Database {
  const database = openDatabase(":memory:");
  const created_at = "2026-01-01T00:00:00.000000";
  const target = { base_model: "local/base", model_path: "base", status: "ready", enabled: true, created_at };
  collection(database, "customization_target").insert({ namespace: "local", name: "base" }, target);
  const artifact = { files_url: "hf://me/w@cust-1", status: "upload_completed" };
  const trained = { namespace: "me", name: "w@cust-1", base_model: "local/base", artifact, created_at };
  collection(database, "model").insert(trained, trained);
  return database;
}

const nim_deployment = { gpu: 1, image_name: "nvcr.io/nim/x", image_tag: "1.8" };

test("a config is kept as it was given, with its name and namespace, and changed and deleted by them", async () => {
  const { call } = management();

  const made = await call("POST", "/configs", { name: "c", namespace: "me", model: "me/w@cust-1", nim_deployment });
  expect(made).toMatchObject({
    status: 200,
    body: { name: "c", namespace: "me", model: "me/w@cust-1", nim_deployment },
  });
  expect(made.body.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  expect((await call("POST", "/configs", {})).body).toMatchObject({
    namespace: "default",
    name: expect.stringMatching(/^deployment-config-/),
  });
  expect((await call("POST", "/configs", { name: "c", namespace: "me" })).status).toBe(409);
  expect((await call("PATCH", "/configs/me/c", { description: "d" })).body).toMatchObject({
    description: "d",
    model: "me/w@cust-1",
  });
  expect((await call("GET", "/configs?filter[namespace]=me")).body.data).toHaveLength(1);
  expect((await call("DELETE", "/configs/me/c")).body.message).toBe("Resource deleted successfully.");
  expect((await call("GET", "/configs/me/c")).status).toBe(404);
});

test("an endpoint elsewhere is refused by name", async () => {
  const { call } = management();
  const external_endpoint = { host_url: "https://elsewhere.example" };

  for (const [path, body, loc] of [
    ["/configs", { external_endpoint }, ["body", "external_endpoint"]],
    ["/model-deployments", { config: { external_endpoint } }, ["body", "config", "external_endpoint"]],
  ] as const) {
    expect(await call("POST", path, body)).toMatchObject({ status: 422, body: { detail: [{ loc }] } });
  }
});

test("a deployment is pending, then ready, and what it serves can be called until it is deleted", async () => {
  const { call, loader, names } = management();
  await call("POST", "/configs", { name: "c", namespace: "me", model: "me/w", nim_deployment });

  const made = await call("POST", "/model-deployments", { name: "d", namespace: "me", config: "me/c", hf_token: "s" });
  expect(made.body).toMatchObject({ config: "me/c", deployed: false, url: "", status_details: { status: "pending" } });
  expect(JSON.stringify(made.body)).not.toContain("hf_token");
  await settle();
  const { body } = await call("GET", "/model-deployments");
  expect(body.data).toHaveLength(1);
  expect(body.data[0]).toMatchObject({
    name: "d",
    namespace: "me",
    deployed: true,
    async_enabled: false,
    models: ["me/w@cust-1"],
    url: "http://here/nim",
    status_details: { status: "ready", description: 'Deployment "me/d" serves me/w@cust-1.' },
  });
  expect(names.find("me/w").id).toBe("me/w@cust-1");

  expect((await call("DELETE", "/model-deployments/me/d")).body.message).toBe("Resource deleted successfully.");
  await settle();
  expect(() => names.find("me/w")).toThrow("it is not deployed");
  expect(loader.events).toEqual(["open me/w", "close me/w"]);
});

test("a model whose entity was deleted before its deployment is let go, too", async () => {
  const { call, database, loader } = management();
  await call("POST", "/model-deployments", { name: "d", config: { model: "me/w" } });
  await settle();
  collection(database, "model").remove({ namespace: "me", name: "w@cust-1" });
  await call("DELETE", "/model-deployments/default/d");
  await settle();

  expect(loader.events).toEqual(["open me/w", "close me/w"]);
});

test("a deployment whose model is not there or cannot be loaded has failed, and says why", async () => {
  const { call } = management({ broken: ["base"] });
  const configs = { none: { model: "me/none" }, broken: { model: "local/base" }, empty: {} };
  for (const [name, config] of Object.entries(configs)) await call("POST", "/model-deployments", { name, config });
  await settle();

  const { body } = await call("GET", "/model-deployments?filter[status]=failed");
  expect(body.data.map(({ status_details }: { status_details: object }) => status_details)).toEqual([
    { status: "failed", description: "The model `me/none` does not exist." },
    { status: "failed", description: "base is broken" },
    { status: "failed", description: "the deployment's config names no model" },
  ]);
});

test("a second deployment of the name is a conflict in the words that clients look for", async () => {
  const { call } = management();
  const body = { name: "d", config: { model: { name: "base", namespace: "local" } } };
  expect((await call("POST", "/model-deployments", body)).status).toBe(200);

  const again = await call("POST", "/model-deployments", body);
  expect(again).toMatchObject({ status: 409, body: { detail: "model deployment already exists: default/d" } });
  expect(again.headers.get("x-should-retry")).toBe("false");
  expect(await call("POST", "/model-deployments", { config: "me/none" })).toMatchObject({
    status: 404,
    body: { detail: "Deployment config me/none not found" },
  });
});

test("a deployment with another config serves the old model until the new one is there", async () => {
  const { call, loader, names, hold } = management();
  await call("POST", "/model-deployments", { name: "d", config: { model: "me/w" } });
  await settle();
  const release = hold();
  await call("PATCH", "/model-deployments/default/d", { config: { model: "local/base" } });
  await settle();

  expect((await call("GET", "/model-deployments/default/d")).body).toMatchObject({
    ...{ models: ["me/w@cust-1"], deployed: true },
    status_details: { status: "pending", description: "Loading local/base; until then it serves me/w@cust-1" },
  });
  expect(names.find("me/w").id).toBe("me/w@cust-1");
  expect(loader.events).toEqual(["open me/w"]);

  release();
  await settle();
  expect(loader.events).toEqual(["open me/w", "open base", "close me/w"]);
  expect(() => names.find("me/w")).toThrow("it is not deployed");
});

test("where the new model cannot be loaded the old one stays, and the state says so; asked again, it may come", async () => {
  const broken = ["base"];
  const { call, loader, names } = management({ broken });
  await call("POST", "/model-deployments", { name: "d", config: { model: "me/w" } });
  await settle();
  await call("PATCH", "/model-deployments/default/d", { config: { model: "local/base" } });
  await settle();

  expect((await call("GET", "/model-deployments/default/d")).body).toMatchObject({
    ...{ models: ["me/w@cust-1"], deployed: true, url: "http://here/nim" },
    status_details: { status: "failed", description: "base is broken; it still serves me/w@cust-1" },
  });
  expect(names.find("me/w").id).toBe("me/w@cust-1");
  expect(loader.events).toEqual(["open me/w"]);

  broken.length = 0;
  await call("PATCH", "/model-deployments/default/d", { config: { model: "local/base" } });
  await settle();
  expect((await call("GET", "/model-deployments/default/d")).body).toMatchObject({
    ...{ models: ["local/base"], status_details: { status: "ready" } },
  });
});

test("a deployment with another config is loaded anew", async () => {
  const { call, loader } = management();
  await call("POST", "/model-deployments", { name: "d", config: { model: "me/w" } });
  await settle();
  const changed = await call("PATCH", "/model-deployments/default/d", { config: { model: "local/base" } });
  expect(changed.body.status_details.status).toBe("pending");
  await settle();

  expect((await call("GET", "/model-deployments/default/d")).body).toMatchObject({ models: ["local/base"] });
  expect(loader.events.toSorted()).toEqual(["close me/w", "open base", "open me/w"]);
});

test("deployments outlive a restart: pending ones go on, ready ones are loaded when they are called", async () => {
  const { call, database, close } = management();
  await call("POST", "/model-deployments", { name: "ready", config: { model: "local/base" } });
  await settle();
  await call("POST", "/model-deployments", { name: "pending", config: { model: "me/w" } });
  await settle();
  await close();
  // As a platform leaves it that is killed while it loads.
  const deployments = collection<ModelDeployment>(database, "model_deployment");
  const left = deployments.get({ namespace: "default", name: "pending" });
  if (left === undefined) throw new Error("no deployment");
  deployments.put(left, { ...left, deployed: false, status_details: { status: "pending", description: "" } });

  const next = management({ database });
  await settle();
  const { data } = (await next.call("GET", "/model-deployments")).body;
  expect(data.map(({ deployed }: { deployed: boolean }) => deployed)).toEqual([true, true]);
  expect(next.loader.events).toEqual(["open me/w"]);
});
