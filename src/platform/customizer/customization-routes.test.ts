import { afterEach, expect, test } from "vitest";
import { trainingPlace } from "../../engine/__fixtures__/model-folder.ts";
import { startTestPlatform } from "../__fixtures__/test-platform.ts";

const undo: (() => PromiseLike<unknown>)[] = [];

afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

async function platform(names: string[], options: { dir?: string } = {}) {
  const place = await trainingPlace();
  undo.push(() => place[Symbol.asyncDispose]());
  const models = names.map((name) => `${name}=${place.model}`);
  const started = await startTestPlatform({ ...options, models });
  undo.push(() => started.stop());
  return { ...started, model: place.model, place };
}

const OPTION = { training_type: "dpo", finetuning_type: "lora", num_gpus: 1, micro_batch_size: 1 };

test("a folder is a target, a config and a model under the name that it was given", async () => {
  const { call, model } = await platform(["meta/llama-3.1-8b-instruct@v1.0.0+A100", "tiny"]);
  const configs = (await call("GET", "/v1/customization/configs?sort=name")).body;
  expect(configs.pagination).toMatchObject({ page_size: 1000, total_results: 2 });
  expect(configs.data[0]).toMatchObject({
    namespace: "meta",
    name: "llama-3.1-8b-instruct@v1.0.0+A100",
    max_seq_length: 128,
    training_precision: "fp32",
    prompt_template: "{prompt} {completion}",
    target: { namespace: "meta", name: "llama-3.1-8b-instruct@v1.0.0" },
  });
  expect(configs.data[0].training_options).toHaveLength(6);
  expect(Object.keys(configs.data[0]).filter((key) => key.startsWith("_"))).toEqual([]);
  const target = await call("GET", "/v1/customization/targets/local/tiny@v1.0.0");
  expect(target.body).toMatchObject({
    ...{ base_model: "local/tiny", model_path: model, status: "ready", enabled: true, precision: "fp32" },
    ...{ num_parameters: expect.any(Number), model_type: "hf" },
  });
  const entity = await call("GET", "/v1/models/meta/llama-3.1-8b-instruct");
  expect(entity.body).toMatchObject({ spec: { context_size: 128 }, artifact: { status: "upload_completed" } });
  expect((await call("GET", "/v1/namespaces/meta")).status).toBe(200);
});

test("the plus and the at of a name stand in a path as they are, or escaped", async () => {
  const { call } = await platform(["tiny"]);
  for (const name of ["tiny@v1.0.0+CPU", "tiny%40v1.0.0%2BCPU"]) {
    expect((await call("GET", `/v1/customization/configs/local/${name}`)).status).toBe(200);
  }
});

test("configs are filtered by what they offer and by their target", async () => {
  const { call } = await platform(["tiny", "other"]);
  await call("POST", "/v1/customization/configs", {
    ...{ name: "mine", target: "local/tiny@v1.0.0", max_seq_length: 64, training_options: [OPTION] },
  });
  const count = async (query: string) =>
    (await call("GET", `/v1/customization/configs?${query}`)).body.pagination?.total_results;
  expect(await count("filter[training_type]=dpo")).toBe(3);
  expect(await count("filter[training_type]=sft")).toBe(2);
  expect(await count("filter[finetuning_type]=lora_merged")).toBe(2);
  expect(await count("filter[target_name]=tiny@v1.0.0")).toBe(2);
  expect(await count("filter[target_base_model]=local/other")).toBe(1);
  expect(await count("filter[name]=mine&filter[target_enabled]=true")).toBe(1);
  await call("PATCH", "/v1/customization/targets/local/tiny@v1.0.0", { enabled: false });
  expect(await count("filter[target_enabled]=true")).toBe(1);
  expect(await count("filter[max_seq_length]=64")).toBeUndefined();
});

test("a config is made, changed and deleted; its options are added and taken away by their kind", async () => {
  const { call } = await platform(["tiny"]);
  const config = { name: "mine", target: "local/tiny@v1.0.0", max_seq_length: 64, training_options: [OPTION] };
  expect((await call("POST", "/v1/customization/configs", config)).status).toBe(200);
  expect((await call("POST", "/v1/customization/configs", config)).status).toBe(409);
  const path = "/v1/customization/configs/default/mine";
  const sft = { ...OPTION, training_type: "sft" };
  const changed = await call("PATCH", path, {
    ...{ max_seq_length: 32, add_training_options: [sft] },
    remove_training_options: [{ training_type: "dpo", finetuning_type: "lora" }],
  });
  expect(changed.body).toMatchObject({ max_seq_length: 32, training_options: [sft], message: expect.any(String) });
  expect((await call("DELETE", path)).body.message).toBe("Resource deleted successfully.");
  expect((await call("GET", path)).status).toBe(404);

  const status = async (fields: object) =>
    (await call("POST", "/v1/customization/configs", { ...config, name: "other", ...fields })).status;
  expect(await status({ target: "local/nobody" })).toBe(404);
  expect(await status({ target: null })).toBe(422);
  expect(await status({ namespace: "nowhere" })).toBe(404);
  expect(await status({ prompt_template: "{prompt}" })).toBe(422);
  expect(await status({ chat_prompt_template: "{% for %}" })).toBe(422);
  expect(await status({ training_options: [] })).toBe(422);
});

test("a target of a client needs a place that can be reached, and no folder of this machine", async () => {
  const { call } = await platform(["tiny"]);
  const fault = async (fields: object) => {
    const body = { num_parameters: 1, precision: "fp32", ...fields };
    const answer = await call("POST", "/v1/customization/targets", body);
    return [answer.status, answer.body.detail?.[0]?.msg];
  };
  expect(await fault({ model_uri: "ngc://nvidia/nemo/llama:2.0" })).toEqual([422, expect.stringContaining("ngc://")]);
  expect(await fault({ model_path: "/etc" })).toEqual([422, expect.stringContaining("hf://namespace/name")]);
  expect(await fault({ model_uri: "hf://../../etc" })).toEqual([422, expect.any(String)]);
  expect((await call("GET", "/v1/customization/targets?filter[status]=ready")).body.data).toHaveLength(1);
});

test("a job is refused for what it names, and nothing of it is kept", async () => {
  const { call } = await platform(["meta/llama@v1+A100", "meta/llama@v1+80GB"]);
  await call("POST", "/v1/datasets", { name: "pairs", files_url: "hf://datasets/default/pairs" });
  await call("POST", "/v1/datasets", { name: "elsewhere", files_url: "https://example.com/pairs" });
  const job = {
    ...{ config: "meta/llama@v1+A100", dataset: "default/pairs" },
    hyperparameters: { finetuning_type: "lora", training_type: "dpo" },
  };
  const fault = async (fields: object) => {
    const { status, body } = await call("POST", "/v1/customization/jobs", { ...job, ...fields });
    return [status, typeof body.detail === "string" ? body.detail : body.detail?.[0]?.loc?.join(".")];
  };
  expect(await fault({ config: "meta/nobody" })).toEqual([404, "Customization config meta/nobody not found"]);
  expect(await fault({ config: "meta/llama" })).toEqual([422, "body.config"]);
  expect(await fault({ dataset: "default/none" })).toEqual([404, "Dataset default/none not found"]);
  expect(await fault({ dataset: "default/elsewhere" })).toEqual([422, "body.dataset"]);
  expect(await fault({ dataset: { namespace: "default" } })).toEqual([422, "body.dataset"]);
  expect(await fault({ namespace: "nowhere" })).toEqual([404, "Namespace nowhere not found"]);
  expect(await fault({ output_model: "nowhere/model" })).toEqual([404, "Namespace nowhere not found"]);
  expect(await fault({ output_model: "default/../model" })).toEqual([422, "body.output_model"]);
  expect(await fault({ dataset_parameters: { in_batch_negatives: true } })).toEqual([
    422,
    "body.dataset_parameters.in_batch_negatives",
  ]);
  expect(await fault({ hyperparameters: { finetuning_type: "p_tuning" } })).toEqual([
    422,
    "body.hyperparameters.finetuning_type",
  ]);
  expect(await fault({ hyperparameters: { finetuning_type: "lora", epoch: 1 } })).toEqual([
    422,
    "body.hyperparameters.epoch",
  ]);
  await call("PATCH", "/v1/customization/targets/meta/llama@v1", { enabled: false });
  expect(await fault({})).toEqual([409, "Target meta/llama@v1 is not enabled"]);
  expect((await call("GET", "/v1/customization/jobs")).body.data).toEqual([]);
  expect((await call("GET", "/v1/models?filter[base_model]=meta/llama")).body.data).toHaveLength(1);
});

test("a start without a folder switches its target off, and one with it on again; what a client changed stays", async () => {
  const first = await platform(["tiny", "other", "third"]);
  await first.call("PATCH", "/v1/customization/targets/local/third@v1.0.0", { enabled: false });
  await first.call("PATCH", "/v1/customization/configs/local/tiny@v1.0.0+CPU", { max_seq_length: 64 });
  await first.stop({ keep: true });
  undo.pop();
  const models = (...names: string[]) => names.map((name) => `${name}=${first.model}`);
  const second = await startTestPlatform({ dir: first.dir, models: models("tiny", "third") });
  const enabled = (await second.call("GET", "/v1/customization/targets?filter[enabled]=true")).body.data;
  expect(enabled.map(({ name }: { name: string }) => name)).toEqual(["tiny@v1.0.0"]);
  expect((await second.call("GET", "/v1/customization/configs")).body.pagination.total_results).toBe(3);
  await second.stop({ keep: true });
  const third = await startTestPlatform({ dir: first.dir, models: models("tiny", "other", "third") });
  undo.push(() => third.stop());
  expect((await third.call("GET", "/v1/customization/targets?filter[enabled]=true")).body.data).toHaveLength(2);
  expect((await third.call("GET", "/v1/customization/configs/local/tiny@v1.0.0+CPU")).body.max_seq_length).toBe(64);
});

test("the base models of the package's examples are there when no folder is named", async () => {
  const started = await startTestPlatform({ models: undefined });
  undo.push(() => started.stop());
  expect((await started.call("GET", "/v1/customization/configs")).body.data.length).toBeGreaterThan(0);
});

test("one name for two folders is an error of the start", async () => {
  const [one, two] = [await trainingPlace(), await trainingPlace()];
  undo.push(
    () => one[Symbol.asyncDispose](),
    () => two[Symbol.asyncDispose](),
  );
  const start = startTestPlatform({ models: [`tiny=${one.model}`, `local/tiny@v2=${two.model}`] });
  await expect(start).rejects.toMatchObject({ code: "model_name_taken", exit_code: 2 });
  await expect(startTestPlatform({ models: [`a b=${one.model}`] })).rejects.toMatchObject({ code: "model_name" });
  await expect(startTestPlatform({ models: [one.dataset] })).rejects.toMatchObject({ exit_code: 2 });
});
