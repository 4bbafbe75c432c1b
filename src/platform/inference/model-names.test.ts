import { expect, test } from "vitest";
import { collection, type EntityKind } from "../store/collection.ts";
import { openDatabase } from "../store/database.ts";
import { ModelNames } from "./model-names.ts";

/** A turn of the event loop, after which changes are seen. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

function store() {
  const database = openDatabase(":memory:");
  let made = 0;
  function put(kind: EntityKind, full: string, body: object): void {
    const [namespace = "", name = ""] = full.split("/");
    made += 1;
    const created_at = `2026-01-01T00:00:00.00000${made}`;
    collection(database, kind).insert({ namespace, name }, { namespace, name, created_at, ...body });
  }
  return {
    names: new ModelNames(database, {
      commitOf: (_, revision) => (revision === "lost" ? undefined : `commit of ${revision}`),
    }),
    database,
    target: (base_model: string, body: object = {}) =>
      put("customization_target", `${base_model}@v${made}`, {
        base_model,
        model_path: `/models/${base_model}`,
        status: "ready",
        enabled: true,
        ...body,
      }),
    trained: (full: string, body: object = {}) =>
      put("model", full, {
        base_model: "local/base",
        artifact: { files_url: `hf://${full}`, status: "upload_completed" },
        ...body,
      }),
    deploy: (name: string, models: string[], status = "ready") =>
      put("model_deployment", name, { models, status_details: { status } }),
  };
}

const lora = { peft: { finetuning_type: "lora" } };

test("base models of targets that are enabled and ready are called by their names", () => {
  const { names, target } = store();
  target("local/base");
  target("local/off", { enabled: false });
  target("local/late", { status: "downloading" });

  expect(names.find("local/base")).toMatchObject({ weights: { dir: "/models/local/base" }, parent: null });
  expect(() => names.find("local/off")).toThrow("cannot be called: its customization target is not enabled");
  expect(() => names.find("local/late")).toThrow("its customization target is downloading");
  expect(() => names.find("local/none")).toThrow("The model `local/none` does not exist.");
  expect(names.list().map(({ name }) => name)).toEqual(["local/base"]);
});

test("an adapter is called in full, and by its bare name when it is the newest", async () => {
  const { names, target, trained } = store();
  target("local/base");
  trained("me/m@cust-1", lora);
  expect(names.find("me/m")).toMatchObject({ id: "me/m@cust-1" });
  trained("me/m@cust-2", lora);
  trained("me/m@cust-3", { ...lora, artifact: { files_url: "hf://me/m@cust-3", status: "created" } });
  trained("me/m-other@cust-4", lora);
  await turn();

  expect(names.find("me/m@cust-1")).toEqual({
    id: "me/m@cust-1",
    weights: { dir: "/models/local/base" },
    adapter: { repo: "me/m", commit: "commit of cust-1" },
    root: "hf://me/m@cust-1",
    parent: "local/base",
    created: 1767225600,
  });
  expect(names.find("me/m")).toMatchObject({ id: "me/m@cust-2" });
  expect(() => names.find("me/m@cust-3")).toThrow("its files are not there (created)");
  expect(names.list().map(({ name }) => name)).toEqual([
    "local/base",
    "me/m@cust-1",
    "me/m",
    "me/m@cust-2",
    "me/m-other@cust-4",
    "me/m-other",
  ]);
});

test("a model of which all weights were trained can be called once it is deployed", async () => {
  const { names, trained, deploy } = store();
  trained("me/w@cust-1");
  trained("me/w@cust-2");
  expect(() => names.find("me/w")).toThrow("it is not deployed, and a model of which all weights were trained needs");
  expect(names.find("me/w", { deployed: false })).toMatchObject({ id: "me/w@cust-2" });
  deploy("d/failed", ["me/w@cust-2"], "failed");
  deploy("d/one", ["me/w@cust-1"]);
  await turn();

  expect(names.find("me/w")).toMatchObject({
    id: "me/w@cust-1",
    weights: { repo: "me/w", commit: "commit of cust-1" },
  });
  expect(() => names.find("me/w@cust-2")).toThrow("it is not deployed");
  expect(names.list().map(({ name }) => name)).toEqual(["me/w@cust-1", "me/w"]);
});

test("what was changed is seen in the next turn of the event loop", async () => {
  const { names, target, database } = store();
  target("local/base");
  expect(names.find("local/base").id).toBe("local/base");
  collection(database, "customization_target").remove({ namespace: "local", name: "base@v0" });
  await turn();

  expect(() => names.find("local/base")).toThrow("does not exist");
});

test("ten thousand models are listed in one go", () => {
  const { names, target, trained, database } = store();
  target("local/base");
  database.exec("begin");
  for (let index = 0; index < 10_000; index += 1) trained(`me/m${index}@1`, lora);
  database.exec("commit");

  // Looking for each name by itself takes minutes.
  expect(names.list()).toHaveLength(20_001);
});

test("an adapter without its base is not called, and an adapter over a trained model is", () => {
  const { names, trained } = store();
  trained("me/a@1", { ...lora, base_model: "local/gone" });
  trained("me/whole@1");
  trained("me/b@1", { ...lora, base_model: "me/whole@1" });

  expect(() => names.find("me/a@1")).toThrow("its base model local/gone is not here");
  expect(names.find("me/b@1")).toMatchObject({
    parent: "me/whole@1",
    weights: { repo: "me/whole", commit: "commit of 1" },
  });
});

test("a model whose repository or revision is gone is not called", () => {
  const { names, trained } = store();
  trained("me/w@lost");

  expect(() => names.find("me/w@lost", { deployed: false })).toThrow("this Datastore has nothing at hf://me/w@lost");
});

test("a name of any form that is no model's is a 404 and nothing else", () => {
  const { names } = store();
  const odd = [
    "",
    "/",
    "a/b/c",
    "@",
    "a/@",
    "__proto__",
    "a/__proto__",
    "%",
    "'; drop table entities",
    "x".repeat(9999),
  ];

  for (const name of odd) expect(() => names.find(name)).toThrow(expect.objectContaining({ status: 404 }));
});
