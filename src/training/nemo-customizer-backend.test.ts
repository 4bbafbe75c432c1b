import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { silentLogger } from "../lib/log.ts";
import type { JobSteps } from "../registry/training-backend.ts";
import { JOB, WELL } from "./__fixtures__/nemo-rules.ts";
import { type Rules, startStub } from "./__fixtures__/stub-services.ts";
import { nemoCustomizerBackend } from "./nemo-customizer-backend.ts";
import { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";

const undo: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

const ROW = `${JSON.stringify({ prompt: "p", chosen_response: "yes", rejected_response: "no" })}\n`;
const NGC = "ngc-key-0123456789";
const HF = "hf_token_0123456789";

interface Given {
  options?: Record<string, unknown>;
  env?: Record<string, string>;
  timeout_ms?: number;
  again?: boolean;
}

async function backend(rules: Rules, { options, env = {}, timeout_ms, again = false }: Given = {}) {
  const stub = await startStub({ ...WELL, ...rules });
  const dir = await mkdtemp(join(tmpdir(), "pairwright-nemo-"));
  await writeFile(join(dir, "rows.jsonl"), ROW);
  const made = nemoCustomizerBackend(
    NemoCustomizerTrainerAdapterOptions.parse({
      ...{ entity_host: `${stub.origin}/`, datastore_host: stub.origin, namespace: "ns", customization_config: "m@v1" },
      ...options,
    }),
    { env, clock: { now: () => 0, sleep: async () => undefined }, ...(timeout_ms !== undefined && { timeout_ms }) },
  );
  undo.push(
    stub.stop,
    async () => made.close(),
    () => rm(dir, { recursive: true }),
  );
  const { signal } = new AbortController();
  const steps: JobSteps = { tag: "tag", signal, log: silentLogger, step: (_name, _intent, work) => work(again) };
  const file = { path: join(dir, "rows.jsonl"), rows: 1 };
  const submit = (validation_rows = 0) =>
    made.submit({ training: file, validation: { ...file, rows: validation_rows } }, steps);
  return { ...stub, backend: made, steps, signal, submit };
}

const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable("it should have failed"),
    (error: unknown) => error as { code: string; exit_code: number; what: string; message: string; fix: string },
  );

test("a job is submitted with the seeds' hyperparameters, an output model of its own and the data set by name", async () => {
  const { submit, received } = await backend({}, { options: { hyperparameters: { epochs: 5, seed: null } } });

  expect(await submit()).toEqual({ id: "cust-1" });

  const sent = received.find(({ method, path }) => method === "POST" && path === "/v1/customization/jobs");
  expect(JSON.parse(sent?.text ?? "")).toEqual({
    config: "m@v1",
    dataset: { name: "nat-dpo", namespace: "ns" },
    hyperparameters: {
      training_type: "dpo",
      finetuning_type: "all_weights",
      epochs: 5,
      batch_size: 4,
      learning_rate: 5e-5,
      dpo: {
        ref_policy_kl_penalty: 0.1,
        preference_loss_weight: 1,
        preference_average_log_probs: false,
        sft_loss_weight: 0,
      },
    },
    namespace: "ns",
    output_model: "ns/nat-dpo-tag",
    description: "pairwright tag",
    custom_fields: { pairwright: "tag" },
  });
  const entity = received.find(({ method, path }) => method === "POST" && path === "/v1/datasets");
  expect(JSON.parse(entity?.text ?? "")).toMatchObject({
    ...{ namespace: "ns", name: "nat-dpo", files_url: "hf://datasets/ns/nat-dpo" },
    custom_fields: { pairwright: "tag", commit: "c0ffee" },
  });
});

test("a commit holds the files in base64, and a validation file that is not wanted any more goes", async () => {
  const tree = [
    { type: "file", path: "validation/validation_file.jsonl", oid: "x", size: 1 },
    { type: "file", path: "README.md", oid: "y", size: 1 },
  ];
  const { submit, received } = await backend({
    "GET /v1/hf/api/datasets/*/*/tree/main": { status: 200, body: tree },
  });

  await submit();

  const commit = received.find(({ path }) => path.endsWith("/commit/main"));
  expect(commit?.headers["content-length"]).toBe(String(Buffer.byteLength(commit?.text ?? "")));
  expect(
    commit?.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { key: "header", value: { summary: "pairwright tag", description: "" } },
    {
      key: "file",
      value: {
        path: "training/training_file.jsonl",
        encoding: "base64",
        content: Buffer.from(ROW).toString("base64"),
      },
    },
    { key: "deletedFile", value: { path: "validation/validation_file.jsonl" } },
  ]);
});

test.each([
  ["hf_token before HF_TOKEN", { hf_token: HF }, { NGC_API_KEY: NGC, HF_TOKEN: "other" }, NGC, HF],
  ["HF_TOKEN where hf_token is empty", {}, { NGC_API_KEY: NGC, HF_TOKEN: HF }, NGC, HF],
  ["api_key before NGC_API_KEY", { api_key: NGC }, { NGC_API_KEY: "other", HF_TOKEN: HF }, NGC, HF],
  ["no header for an empty key", { hf_token: "" }, { NGC_API_KEY: " ", HF_TOKEN: "" }, undefined, undefined],
])("keys: %s", async (_name, options, env, platform_key, hub_key) => {
  const {
    submit,
    received,
    backend: made,
    steps,
    signal,
  } = await backend({ "GET /v1/deployment/model-deployments/*/*": { status: 404 } }, { options, env });
  await submit();
  await made.status("cust-1", signal);
  await made.deploy("model", steps);

  const bearer = (key: string | undefined) => (key === undefined ? undefined : `Bearer ${key}`);
  const isHub = (path: string) => path.startsWith("/v1/hf/") || path.startsWith("/v1/datastore/");
  expect(received.length).toBeGreaterThan(12);
  for (const { path, headers } of received) {
    expect({ path, key: headers.authorization }).toEqual({ path, key: bearer(isHub(path) ? hub_key : platform_key) });
  }
});

test("a refused key is told by the variable that holds it, and never shown, though the service repeats it", async () => {
  const { submit } = await backend(
    { "GET /v1/namespaces/*": ({ headers }) => ({ status: 401, body: { detail: `bad: ${headers.authorization}` } }) },
    { env: { NGC_API_KEY: NGC } },
  );
  const error = await errorOf(submit());
  expect(error).toMatchObject({ code: "platform_key_refused", exit_code: 2, fix: "set NGC_API_KEY or api_key" });
  expect(JSON.stringify(error) + error.message).not.toContain(NGC);
});

test("large files go where the LFS answer says, with its headers and without the hub's key, and are verified", async () => {
  const sha256 = createHash("sha256").update(ROW).digest("hex");
  const lfs = (origin: string) => ({
    objects: [
      {
        oid: sha256,
        size: ROW.length,
        actions: {
          upload: { href: `${origin}/store/put?sign=1`, header: { "X-Signed": "yes" } },
          verify: { href: `${origin}/store/verify` },
        },
      },
    ],
  });
  const rules: Rules = {
    "POST /v1/hf/api/datasets/*/*/preupload/main": {
      status: 200,
      body: { files: [{ path: "training/training_file.jsonl", uploadMode: "lfs", shouldIgnore: false }] },
    },
    "POST /v1/hf/datasets/*/*.git/info/lfs/objects/batch": { status: 200 },
    "PUT /store/put": { status: 200 },
    "POST /store/verify": { status: 200 },
  };
  const given = await backend(
    {
      ...rules,
      "POST /v1/hf/datasets/ns/nat-dpo.git/info/lfs/objects/batch": ({ headers }) => ({
        status: 200,
        body: lfs(`http://${headers.host}`),
      }),
    },
    { env: { HF_TOKEN: HF } },
  );

  await given.submit();

  const of = (path: string) => given.received.find((one) => one.path.startsWith(path));
  expect(of("/store/put")).toMatchObject({ path: "/store/put?sign=1", text: ROW, headers: { "x-signed": "yes" } });
  expect(of("/store/put")?.headers.authorization).toBeUndefined();
  expect(JSON.parse(of("/store/verify")?.text ?? "")).toEqual({ oid: sha256, size: ROW.length });
  expect(of("/v1/hf/api/datasets/ns/nat-dpo/commit/main")?.text).toContain(
    `{"key":"lfsFile","value":{"path":"training/training_file.jsonl","algo":"sha256","oid":"${sha256}","size":${ROW.length}}}`,
  );
});

test("what the LFS store has already is not put again", async () => {
  const { submit, calls } = await backend({
    "POST /v1/hf/api/datasets/*/*/preupload/main": {
      status: 200,
      body: { files: [{ path: "training/training_file.jsonl", uploadMode: "lfs" }] },
    },
    "POST /v1/hf/datasets/ns/nat-dpo.git/info/lfs/objects/batch": ({ text }) => ({
      status: 200,
      body: { objects: [{ ...JSON.parse(text).objects[0], actions: { download: { href: "http://nowhere" } } }] },
    }),
  });
  expect(await submit()).toEqual({ id: "cust-1" });
  expect(calls().filter((call) => call.startsWith("PUT"))).toEqual([]);
});

test.each([
  [true, ["POST /v1/namespaces", "POST /v1/datastore/namespaces"]],
  [false, "namespace_not_found"],
])("namespaces that are not there, create_namespace_if_missing: %s", async (create_namespace_if_missing, expected) => {
  const { submit, calls } = await backend(
    {
      "GET /v1/namespaces/*": { status: 404 },
      "GET /v1/datastore/namespaces/*": { status: 404 },
      "POST /v1/namespaces": { status: 409 },
      "POST /v1/datastore/namespaces": { status: 201 },
    },
    { options: { create_namespace_if_missing } },
  );
  if (typeof expected === "string") expect(await errorOf(submit())).toMatchObject({ code: expected, exit_code: 2 });
  else await submit();
  const made = calls().filter((call) => call.startsWith("POST") && call.endsWith("namespaces"));
  expect(made).toEqual(typeof expected === "string" ? [] : expected);
});

test("rows that somebody else put into the repository are not trained on unasked", async () => {
  const tree = [{ type: "file", path: "training/older.jsonl", oid: "x", size: 1 }];
  const { submit } = await backend({ "GET /v1/hf/api/datasets/*/*/tree/main": { status: 200, body: tree } });
  const error = await errorOf(submit());
  expect(error).toMatchObject({ code: "foreign_training_files", exit_code: 2 });
  expect(error.what).toContain("training/older.jsonl");
});

test("a repository that another process wrote to after the upload is brought back before the job is created", async () => {
  let uploaded = 0;
  const { submit, calls } = await backend({
    "GET /v1/hf/api/datasets/*/*/revision/main": { status: 200, body: { sha: "another" } },
    "POST /v1/hf/api/datasets/*/*/commit/main": () => {
      uploaded += 1;
      return { status: 200, body: { commitOid: "c0ffee" } };
    },
  });
  await submit();
  expect(uploaded).toBe(2);
  expect(calls().at(-1)).toBe("POST /v1/customization/jobs");
});

test.each([
  ["an unknown config", { status: 404, body: { detail: "no config" } }, 404, "customization_config_not_found", 2],
  [
    "a hyperparameter",
    { status: 422, body: { detail: [{ loc: ["body", "hyperparameters", "epochs"], msg: "too many" }] } },
    200,
    "job_refused",
    2,
  ],
  [
    "a model on its way",
    { status: 409, body: { detail: "downloading to cache, try again later" } },
    200,
    "job_conflict",
    2,
  ],
  ["a fault of its own", { status: 500, body: { detail: "boom" } }, 200, "platform_error", 6],
])("a job that the Customizer refuses for %s", async (_name, reply, config_status, code, exit_code) => {
  const { submit, calls } = await backend({
    "POST /v1/customization/jobs": reply,
    "GET /v1/customization/configs/*/*": { status: config_status, body: {} },
    "GET /v1/customization/configs": { status: 200, body: { data: [{ namespace: "meta", name: "m@v2+A100" }] } },
  });
  const error = await errorOf(submit());
  expect(error).toMatchObject({ code, exit_code });
  if (code === "customization_config_not_found") expect(error.fix).toContain("meta/m@v2+A100");
  if (code === "job_refused") expect(error.what).toContain("hyperparameters.epochs: too many");
  // Whether the job was made nobody knows: it is looked for first, the next time.
  expect(calls().filter((call) => call === "POST /v1/customization/jobs")).toHaveLength(1);
});

test.each([
  ["its custom field", { ...JOB, output_model: "" }],
  ["its output model, with the version that it was given", { ...JOB, custom_fields: null }],
])("a job that an earlier process made is known by %s", async (_name, job) => {
  const other = { ...JOB, id: "cust-0", output_model: "ns/nat-dpo-tag2@cust-0", custom_fields: { pairwright: "tag2" } };
  const pages = [[other], [job]];
  const { submit, calls } = await backend(
    {
      "GET /v1/customization/jobs": ({ path }) => {
        const page = Number(new URLSearchParams(path.split("?")[1]).get("page"));
        return { status: 200, body: { data: pages[page - 1] ?? [], pagination: { total_pages: 2 } } };
      },
    },
    { again: true },
  );
  expect(await submit()).toEqual({ id: "cust-1" });
  expect(calls()).not.toContain("POST /v1/customization/jobs");
});

test("a redirect is not followed, and told with where it leads", async () => {
  const { submit } = await backend({
    "GET /v1/namespaces/*": { status: 308, headers: { location: "https://nmp.example/v1/namespaces/ns" } },
  });
  const error = await errorOf(submit());
  expect(error).toMatchObject({ code: "platform_redirects", exit_code: 2 });
  expect(error.what).toContain("https://nmp.example");
});

test("a service that fails twice is asked a third time; one that always fails ends with exit 6", async () => {
  const failing = (until: number): Rules => ({
    "POST /v1/hf/api/repos/create": (_request, times) => ({ status: times <= until ? 500 : 200, body: {} }),
  });
  const twice = await backend(failing(2));
  expect(await twice.submit()).toEqual({ id: "cust-1" });

  const always = await backend(failing(99));
  expect(await errorOf(always.submit())).toMatchObject({ code: "platform_error", exit_code: 6 });
  expect(always.calls().filter((call) => call.endsWith("repos/create"))).toHaveLength(3);
});

test("a service that hangs, cuts the connection or is not there is unreachable", async () => {
  const hangs = await backend({ "POST /v1/datasets": "hang" }, { timeout_ms: 50 });
  expect(await errorOf(hangs.submit())).toMatchObject({ code: "platform_unreachable", exit_code: 6 });

  const cuts = await backend({ "POST /v1/customization/jobs": "cut" });
  expect(await errorOf(cuts.submit())).toMatchObject({ code: "platform_unreachable", exit_code: 6 });
  expect(cuts.calls().filter((call) => call === "POST /v1/customization/jobs")).toHaveLength(1);

  const gone = await backend({});
  await gone.stop();
  const error = await errorOf(gone.submit());
  expect(error).toMatchObject({ code: "platform_unreachable", exit_code: 6 });
  expect(error.what).toContain("failed to connect to NeMo Customizer");
});

// The real service leaves `detail` out where it has none, at times.
const logs = (...details: unknown[]) => [
  { message: "created", updated_at: "" },
  ...details.map((detail) => ({ message: "m", detail, updated_at: "" })),
];

const points = (...values: number[]) => values.map((value, step) => ({ step, value, timestamp: "" }));

test.each([
  [{ status: "created" }, { status: "pending", progress: null, message: null }],
  [
    { status: "running", percentage_done: null },
    { status: "running", progress: null },
  ],
  [
    { status: "running", percentage_done: 12.5, status_logs: logs("said", null) },
    { progress: 12.5, message: "said" },
  ],
  [{ status: "cancelling" }, { status: "running", backend_status: "cancelling" }],
  [
    { status: "canceled", status_logs: logs("how it began") },
    { status: "cancelled", message: null },
  ],
  [
    { status: "failed", status_logs: logs("early", "NotEnoughResources") },
    { status: "failed", message: "NotEnoughResources" },
  ],
  [{ status: "completed" }, { status: "completed", chosen_reward: null }],
  [
    // The first of 21 is too long ago to say how it ended.
    { status: "completed", metrics: { metrics: { train_chosen_reward: points(9, ...Array(19).fill(-1), 1) } } },
    { status: "completed", chosen_reward: -0.9 },
  ],
  [{ status: "ready" }, { status: "unknown", backend_status: "ready" }],
  [{ status: "frobnicating" }, { status: "unknown", backend_status: "frobnicating" }],
])("the status %o is %o", async (body, expected) => {
  const { backend: made, signal } = await backend({ "GET /v1/customization/jobs/*/status": { status: 200, body } });
  const status = await made.status("cust-1", signal);
  expect(status).toMatchObject({ ...expected, details: body });
});

test("a completed job has its model from the job itself, and none where that names none", async () => {
  const { backend: made, signal } = await backend({});
  expect(await made.status("cust-1", signal)).toMatchObject({ status: "completed", model: "ns/nat-dpo-tag@cust-1" });
  const without = await backend({
    "GET /v1/customization/jobs/*": { status: 200, body: { id: "cust-1", output_model: "" } },
  });
  expect(await without.backend.status("cust-1", without.signal)).toMatchObject({ status: "completed", model: null });
});

test.each([
  ["status", "GET /v1/customization/jobs/*/status", 404, "job_not_found"],
  ["cancel", "POST /v1/customization/jobs/*/cancel", 404, "job_not_found"],
  ["cancel", "POST /v1/customization/jobs/*/cancel", 409, "job_has_ended"],
  ["logs", "GET /v1/customization/jobs/*/container-logs", 404, "job_not_found"],
] as const)("%s of a job that %s answers with %i is %s", async (ask, rule, status, code) => {
  const { backend: made, signal } = await backend({ [rule]: { status, body: { detail: "no" } } });
  expect(await errorOf(made[ask]("cust-1", signal))).toMatchObject({ code, exit_code: 2 });
});

test("a deployment gets a config of its own, its name, and the image that was asked for", async () => {
  const {
    backend: made,
    steps,
    received,
  } = await backend({ "GET /v1/deployment/model-deployments/*/*": { status: 404 } });
  expect(await made.deploy("ns/m@1", steps)).toEqual({ name: "nat-dpo-tag" });
  const bodies = received.filter(({ method }) => method === "POST").map(({ text }) => JSON.parse(text));
  expect(bodies).toEqual([
    {
      ...{ namespace: "ns", name: "nat-dpo-tag", description: "Fine-tuned model deployment", model: "ns/m@1" },
      nim_deployment: { image_name: "nvcr.io/nim/meta/llama-3.1-8b-instruct", image_tag: "latest", gpu: 1 },
    },
    {
      ...{ namespace: "ns", name: "nat-dpo-tag", description: "Fine-tuned model deployment" },
      config: "ns/nat-dpo-tag",
    },
  ]);
});

test.each([
  ["serves this model already", "ns/nat-dpo-tag", "ready", false],
  ["is to serve this model, and failed", "ns/nat-dpo-tag", "failed", true],
  ["serves an earlier one", "ns/older", "ready", true],
  ["serves an earlier one, its config told in full", { namespace: "ns", name: "older" }, "ready", true],
])("a deployment of the given name that %s", async (_name, config, status, changes) => {
  const {
    backend: made,
    steps,
    received,
  } = await backend(
    {
      "POST /v1/deployment/configs": { status: 500, body: { detail: "model deployment already exists" } },
      "GET /v1/deployment/model-deployments/*/*": {
        status: 200,
        body: { config, status_details: { status } },
      },
      "PATCH /v1/deployment/model-deployments/*/*": { status: 200 },
    },
    { options: { deployment_config: { deployment_name: "mine" } } },
  );
  expect(await made.deploy("ns/m@1", steps)).toEqual({ name: "mine" });
  const patches = received.filter(({ method }) => method === "PATCH");
  expect(patches.map(({ path, text }) => [path, text])).toEqual(
    changes ? [["/v1/deployment/model-deployments/ns/mine", '{"config":"ns/nat-dpo-tag"}']] : [],
  );
});

test.each([200, 404])("a deployment is deleted by the name in its status, where it is there (%i)", async (status) => {
  const { backend: made, signal, calls } = await backend({ "DELETE /v1/deployment/model-deployments/*/*": { status } });
  await made.undeploy("ns/nat-dpo-tag", signal);
  expect(calls()).toEqual(["DELETE /v1/deployment/model-deployments/ns/nat-dpo-tag"]);
});

test.each([
  [{ status: "READY", description: "rolled out" }, "ready"],
  [{ status: "pending" }, "unready"],
  [{ status: "error", description: "no GPU" }, "failed"],
  [undefined, "unready"],
])("a deployment that says %o is %s", async (status_details, expected) => {
  const { backend: made, signal } = await backend({
    "GET /v1/deployment/model-deployments/*/*": { status: 200, body: { status_details } },
  });
  expect(await made.deployment("d", signal)).toMatchObject({ name: "ns/d", status: expected });
});

test("a deployment that somebody deleted is told, and can be had again", async () => {
  const { backend: made, signal } = await backend({
    "GET /v1/deployment/model-deployments/*/*": { status: 404, body: { detail: "not found" } },
  });
  const error = await errorOf(made.deployment("d", signal));
  expect(error).toMatchObject({ code: "deployment_gone", exit_code: 5, fix: expect.stringContaining("--resume") });
  expect(error.message).toContain("deployment ns/d");
});

test.each([
  ["refuses", { status: 422, body: { detail: "name: too long" } }, "platform_refused", 2, "name: too long"],
  ["answers with a web page", { status: 200, body: "<html>" }, "platform_odd_answer", 6, "POST http"],
] as const)("a job's service that %s is told apart", async (_name, reply, code, exit_code, says) => {
  const at = code === "platform_refused" ? "POST /v1/datasets" : "POST /v1/customization/jobs";
  const error = await errorOf((await backend({ [at]: reply })).submit());
  expect(error).toMatchObject({ code, exit_code });
  expect(error.message).toContain(says);
});
