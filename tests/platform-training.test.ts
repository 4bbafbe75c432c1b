import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { someRows, type TrainingPlace, trainingPlace } from "../src/engine/__fixtures__/model-folder.ts";
import { type Json, jsonl, startTrainingPlatform, type TrainingPlatform } from "./support/training-platform.ts";

let place: TrainingPlace;
let platform: TrainingPlatform;

beforeAll(async () => {
  place = await trainingPlace();
  platform = await startTrainingPlatform(place.dir, { models: [`tiny=${place.model}`] });
  await platform.upload("pairs", {
    "training/training_file.jsonl": jsonl(someRows()),
    "validation/validation_file.jsonl": jsonl(someRows(8)),
  });
});

afterAll(async () => {
  expect(await platform.stop()).toBe(0);
  await place[Symbol.asyncDispose]();
});

/** As the toolkit sends them. */
const DPO = {
  training_type: "dpo",
  finetuning_type: "all_weights",
  epochs: 3,
  batch_size: 4,
  learning_rate: 3e-3,
  dpo: {
    ref_policy_kl_penalty: 0.1,
    preference_loss_weight: 1,
    preference_average_log_probs: false,
    sft_loss_weight: 0,
  },
};

async function create(body: object = {}): Promise<Json> {
  const job = { config: "local/tiny", dataset: "default/pairs", hyperparameters: DPO, ...body };
  const answer = await platform.call("POST", "/v1/customization/jobs", job);
  expect([answer.status, answer.body]).toEqual([200, expect.anything()]);
  return answer.body;
}

test("a job runs to its model, which any hub client finds", async () => {
  const job = await create({ dataset: { name: "pairs", namespace: "default" } });
  expect(job).toMatchObject({
    id: expect.stringMatching(/^cust-\w{22}$/),
    config: "local/tiny",
    dataset: "default/pairs",
    output_model: `default/local-tiny-pairs-all_weights@${job.id}`,
    status: "created",
    status_details: { percentage_done: 0, status_logs: [{ message: "created" }] },
    config_snapshot: { base_model: "local/tiny", max_seq_length: 128 },
    hyperparameters: { ...DPO, sequence_packing_enabled: false },
  });
  const entity = `/v1/models/default/local-tiny-pairs-all_weights@${job.id}`;
  expect((await platform.call("GET", entity)).body.artifact).toMatchObject({
    files_url: `hf://default/local-tiny-pairs-all_weights@${job.id}`,
  });

  const status = await platform.until(job.id, "completed");
  expect(status).toMatchObject({
    percentage_done: 100,
    steps_completed: 36,
    steps_per_epoch: 12,
    epochs_completed: 3,
    best_epoch: expect.any(Number),
    train_loss: expect.any(Number),
    val_loss: expect.any(Number),
  });
  expect(status.metrics.metrics.train_loss.map(({ step }: Json) => step)).toEqual([9, 19, 29]);
  expect(status.metrics.metrics.val_loss.map(({ step }: Json) => step)).toEqual([11, 23, 35]);
  expect(status.metrics.metrics.val_loss.at(-1).value).toBeLessThan(Math.LN2);
  expect((await platform.call("GET", entity)).body.artifact.status).toBe("upload_completed");
  const files = await platform.call("GET", `/v1/hf/api/models/default/local-tiny-pairs-all_weights/tree/${job.id}`);
  expect(files.body.map(({ path }: Json) => path)).toEqual(
    expect.arrayContaining(["config.json", "model.safetensors", "tokenizer.json", "training_metrics.jsonl"]),
  );
  const facts = await platform.download(`default/local-tiny-pairs-all_weights/resolve/${job.id}/training.json`);
  expect(facts.toString()).not.toContain(place.dir);
  await vi.waitFor(() => expect(existsSync(join(platform.data, "jobs", job.id))).toBe(false));
});

test("LoRA ends as a PEFT adapter on its base by name; lora_merged as a whole model", async () => {
  const lora = { adapter_dim: 4, alpha: 8, target_modules: ["linear_qkv"] };
  const hyperparameters = { ...DPO, epochs: 1, finetuning_type: "lora", lora };
  const adapter = await create({ hyperparameters, output_model: "default/adapter@v1" });
  const merged = await create({
    hyperparameters: { ...hyperparameters, finetuning_type: "lora_merged" },
    output_model: "default/merged",
  });
  expect(adapter.output_model).toBe("default/adapter@v1");
  expect(merged.output_model).toBe(`default/merged@${merged.id}`);
  expect(adapter.hyperparameters.lora).toEqual(lora);

  await platform.until(adapter.id, "completed");
  const entity = (await platform.call("GET", "/v1/models/default/adapter@v1")).body;
  expect(entity).toMatchObject({ base_model: "local/tiny", peft: { finetuning_type: "lora" } });
  const config = JSON.parse((await platform.download("default/adapter/resolve/v1/adapter_config.json")).toString());
  expect(config).toMatchObject({ base_model_name_or_path: "local/tiny", r: 4, lora_alpha: 8 });
  expect(config.target_modules).toEqual(["q_proj", "k_proj", "v_proj"]);
  await platform.until(merged.id, "completed");
  const files = await platform.call("GET", `/v1/hf/api/models/default/merged/tree/${merged.id}`);
  expect(files.body.map(({ path }: Json) => path)).toContain("model.safetensors");
  expect((await platform.call("GET", `/v1/models/${merged.output_model}`)).body.peft).toBeUndefined();

  const again = await platform.call("POST", "/v1/customization/jobs", {
    ...{ config: "local/tiny", dataset: "default/pairs", hyperparameters: DPO },
    output_model: "default/adapter@v1",
  });
  expect([again.status, again.body]).toEqual([
    409,
    { detail: "model or dataset with name adapter@v1 already exists in namespace default" },
  ]);
});

test("rounds: a job starts from another one's model, compares with the base, and takes the optimiser over", async () => {
  const hyperparameters = { ...DPO, epochs: 1 };
  const first = await create({
    hyperparameters: { ...hyperparameters, pairwright: { save_optimizer: true, batch_unit: "prompt" } },
  });
  await platform.until(first.id, "completed");
  const { output_model } = first;
  const own = { start_from: output_model, optimizer_from: output_model, reference_model: "local/tiny" };
  const second = await create({ hyperparameters: { ...hyperparameters, pairwright: own } });
  await platform.until(second.id, "completed");

  const refused = async (pairwright: object) => {
    const job = { config: "local/tiny", dataset: "default/pairs", hyperparameters: { ...DPO, pairwright } };
    const { status, body } = await platform.call("POST", "/v1/customization/jobs", job);
    return [status, body.detail];
  };
  expect(await refused({ start_from: "default/nobody@v1" })).toEqual([404, "Model default/nobody@v1 not found"]);
  expect(await refused({ reference_model: "default/adapter@v1" })).toEqual([
    422,
    [expect.objectContaining({ loc: ["body", "hyperparameters", "pairwright", "reference_model"] })],
  ]);
  expect((await refused({ startfrom: output_model }))[0]).toBe(422);
});

test("a row that cannot be trained on fails the job, with file and line", async () => {
  const rows = jsonl(someRows(3));
  await platform.upload("bad", {
    "training/a.jsonl": rows,
    "training/b.jsonl": `${rows}\n\n{"prompt": "p", "chosen_response": "yes"}\n`,
  });
  await platform.upload("empty-reply", {
    "training/a.jsonl": `\n\n${jsonl([{ prompt: "question 1?", chosen_response: "yes", rejected_response: "" }])}`,
  });
  await platform.upload("embedding", { "training/a.jsonl": jsonl([{ query: "q", pos_doc: "d", neg_doc: ["n"] }]) });
  await platform.upload("nothing", { "README.md": "rows will come" });
  const detail = async (dataset: string) => {
    const job = await create({ dataset: `default/${dataset}` });
    const { status_logs } = await platform.until(job.id, "failed");
    return status_logs.findLast((log: Json) => log.detail).detail;
  };
  expect(await detail("bad")).toMatch(/^training\/b\.jsonl:5: "rejected_response" is missing/);
  expect(await detail("empty-reply")).toMatch(
    /^training\/a\.jsonl:3: "rejected_response" is empty.*\(completion_empty\)/,
  );
  expect(await detail("embedding")).toMatch(/^training\/a\.jsonl:1: .*embedding model/);
  expect(await detail("nothing")).toMatch(/there is no file of rows to train on.*\(dataset_missing\)/);
});

test("a data set that is deleted while its job waits fails that job alone", async () => {
  await platform.upload("short-lived", { "training/training_file.jsonl": jsonl(someRows(8)) });
  const running = await create({ hyperparameters: { ...DPO, epochs: 1000 } });
  const waiting = await create({ dataset: "default/short-lived" });
  const cancelled = await create();
  await platform.until(running.id, "running");
  const repo = { name: "short-lived", organization: "default", type: "dataset" };
  expect((await platform.call("DELETE", "/v1/hf/api/repos/delete", repo)).status).toBe(200);
  expect((await platform.call("POST", `/v1/customization/jobs/${cancelled.id}/cancel`)).body.status).toBe("cancelled");
  expect((await platform.call("DELETE", `/v1/customization/jobs/${running.id}`)).status).toBe(409);
  const metrics = await (await fetch(`${platform.origin}/metrics`)).text();
  expect(metrics).toContain("pairwright_training_queue_length 1");
  expect(metrics).toContain('pairwright_training_jobs{status="running"} 1');

  const cancelling = await platform.call("POST", `/v1/customization/jobs/${running.id}/cancel`);
  expect([cancelling.status, cancelling.body.status]).toEqual([200, "cancelling"]);
  await platform.until(running.id, "cancelled");
  const { status_logs } = await platform.until(waiting.id, "failed");
  expect(status_logs.at(-1).detail).toMatch(/^default\/short-lived: the Datastore has no data set of this name/);
  const late = await platform.call("POST", `/v1/customization/jobs/${running.id}/cancel`);
  expect([late.status, late.body.detail]).toEqual([409, expect.stringContaining("is cancelled")]);
  expect((await platform.call("DELETE", `/v1/customization/jobs/${running.id}`)).status).toBe(200);
  expect((await platform.call("GET", `/v1/customization/jobs/${running.id}`)).status).toBe(404);
});

test("what is committed to a data set while its job waits is not for that job", async () => {
  await platform.upload("growing", { "training/training_file.jsonl": jsonl(someRows(8)) });
  const running = await create({ hyperparameters: { ...DPO, epochs: 1000 } });
  const waiting = await create({ dataset: "default/growing", hyperparameters: { ...DPO, epochs: 1 } });
  await platform.upload("growing", { "training/training_file.jsonl": "this is no row\n" });
  await platform.call("POST", `/v1/customization/jobs/${running.id}/cancel`);
  expect((await platform.until(waiting.id, "completed")).steps_completed).toBe(2);
});

test("jobs are found by their namespace, and by that of their data set", async () => {
  await platform.call("POST", "/v1/namespaces", { id: "elsewhere" });
  const dataset = { name: "rows", namespace: "elsewhere", files_url: "hf://datasets/default/pairs" };
  expect((await platform.call("POST", "/v1/datasets", dataset)).status).toBe(200);
  const job = await create({ dataset: "elsewhere/rows", project: "p1" });
  await platform.call("POST", `/v1/customization/jobs/${job.id}/cancel`);
  const found = async (query: string) => {
    const { body } = await platform.call("GET", `/v1/customization/jobs?${query}`);
    return body.data.map(({ id }: Json) => id);
  };
  expect(await found("namespace=elsewhere")).toEqual([job.id]);
  expect(await found("namespace=else")).toEqual([]);
  expect(await found("filter[namespace]=elsewhere")).toEqual([]);
  expect(await found("namespace=default")).toContain(job.id);
  expect(await found("filter[project]=p1&filter[training_type]=dpo")).toEqual([job.id]);
  expect(await found("filter[dataset]=hf://datasets/default/pairs&filter[project]=p1")).toEqual([job.id]);
  expect(await found("filter[base_model]=local/nobody")).toEqual([]);
  await platform.until(job.id, "cancelled");
});

test("conversations and templates of one's own are trained on; without validation files a tenth is held out", async () => {
  await platform.upload("chats", {
    "train.jsonl": jsonl(
      Array.from({ length: 10 }, (_, index) => ({
        messages: [
          { role: "user", content: `question ${index}?` },
          { role: "assistant", content: "yes" },
          { role: "user", content: "why?" },
          { role: "assistant", content: `because ${index}` },
        ],
      })),
    ),
  });
  const hyperparameters = { finetuning_type: "all_weights", epochs: 1, batch_size: 3, log_every_n_steps: 2 };
  const chats = await create({ dataset: "default/chats", hyperparameters: { ...hyperparameters, dpo: DPO.dpo } });
  const status = await platform.until(chats.id, "completed");
  expect(status).toMatchObject({ steps_completed: 6, steps_per_epoch: 6 });
  expect(status.status_logs).toContainEqual(
    expect.objectContaining({
      message: "DatasetChecked",
      detail: "18 rows to train on, 2 for validation (taken from the training files)",
    }),
  );

  const config = {
    ...{ name: "tiny@v1.0.0+QA", namespace: "local", target: "local/tiny@v1.0.0", max_seq_length: 64 },
    prompt_template: "{question} {answer}",
    training_options: [{ training_type: "sft", finetuning_type: "all_weights", num_gpus: 0, micro_batch_size: 1 }],
  };
  expect((await platform.call("POST", "/v1/customization/configs", config)).status).toBe(200);
  await platform.upload("answers", { "train/a.jsonl": jsonl([{ question: "question 1?", answer: "yes" }]) });
  const answers = await create({ config: "local/tiny@v1.0.0+QA", dataset: "default/answers", hyperparameters });
  expect(answers.config_snapshot).toMatchObject({ max_seq_length: 64, prompt_template: "{question} {answer}" });
  await platform.until(answers.id, "completed");
  expect((await platform.call("DELETE", "/v1/customization/configs/local/tiny@v1.0.0+QA")).status).toBe(200);
});

test("a target that a client makes of an output model is brought from the Datastore, and trained", async () => {
  const base = await create({ hyperparameters: { ...DPO, epochs: 1 }, output_model: "default/stage@v1" });
  await platform.until(base.id, "completed");
  const target = { num_parameters: 1, precision: "fp32", name: "stage@v1", namespace: "default" };
  const made = await platform.call("POST", "/v1/customization/targets", {
    ...target,
    model_uri: "hf://default/stage@v1",
  });
  expect([made.status, made.body.status]).toEqual([200, "pending"]);
  const missing = { ...target, name: "missing", model_uri: "hf://default/nothing" };
  await platform.call("POST", "/v1/customization/targets", missing);
  const settled = async (name: string): Promise<Json> => {
    for (;;) {
      const { body } = await platform.call("GET", `/v1/customization/targets/default/${name}`);
      if (!["pending", "downloading"].includes(body.status)) return body;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  expect((await settled("stage@v1")).status).toBe("ready");
  expect(await settled("missing")).toMatchObject({ status: "failed", status_message: expect.any(String) });
  const config = {
    ...{ target: "default/stage@v1", max_seq_length: 128 },
    training_options: [{ training_type: "dpo", finetuning_type: "all_weights", num_gpus: 0, micro_batch_size: 1 }],
  };
  const unready = await platform.call("POST", "/v1/customization/jobs", {
    ...{ config: { ...config, target: "default/missing" }, dataset: "default/pairs", hyperparameters: DPO },
  });
  expect([unready.status, unready.body.detail]).toEqual([
    409,
    expect.stringContaining("Target default/missing is failed"),
  ]);
  const long = { ...config, max_seq_length: 4096, training_precision: "bf16-mixed" };
  const job = await create({ config: long, hyperparameters: { ...DPO, epochs: 1 } });
  expect(job.warnings.map(({ message }: Json) => message)).toEqual([
    "training_precision bf16-mixed is not used",
    "max_seq_length 4096 is 128 here",
  ]);
  await platform.until(job.id, "completed");
  expect((await platform.call("DELETE", "/v1/customization/targets/default/stage@v1")).status).toBe(200);
});
