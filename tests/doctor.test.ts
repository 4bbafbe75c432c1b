import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { trainingPlace } from "../src/engine/__fixtures__/model-folder.ts";
import { startTestPlatform, type TestPlatform } from "../src/platform/__fixtures__/test-platform.ts";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import { type Rules, startStub } from "../src/training/__fixtures__/stub-services.ts";
import { guessReply } from "./support/guesses.ts";
import { type Ended, jsonOf } from "./support/program.ts";
import { makeProject, type Project } from "./support/project.ts";

interface Check {
  name: string;
  status: string;
  detail: string;
}

let model: ModelServer;
let place: Awaited<ReturnType<typeof trainingPlace>>;
let home = "";
let platform: TestPlatform;
beforeAll(async () => {
  place = await trainingPlace();
  home = await mkdtemp(join(tmpdir(), "pairwright-doctor-"));
  model = await startModelServer({ reply: guessReply });
  // As a command finds it: by the lock file in the data folder.
  platform = await startTestPlatform({ dir: join(home, "pairwright"), models: [`tiny=${place.model}`] });
});
afterAll(async () => {
  await model.close();
  await platform.stop();
  await place[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
});

type Tree = Record<string, unknown>;

interface Given {
  adapter?: Tree;
  finetuning?: Tree;
  llm?: Tree;
  sections?: Tree;
  env?: Record<string, string>;
}

/** A configuration that trains at `origin`. */
function project(origin: string, { adapter, finetuning, llm, sections, env }: Given = {}): Promise<Project> {
  return makeProject({
    ...{ url: model.url, examples: 12, ...(llm && { llm }), ...(env && { env }) },
    sections: {
      trainers: { trainer: { _type: "nemo_customizer_trainer" } },
      trainer_adapters: {
        adapter: {
          ...{ _type: "nemo_customizer_trainer_adapter", entity_host: origin, datastore_host: origin },
          ...{ namespace: "ns", customization_config: "local/tiny@v1.0.0+CPU", deploy_on_completion: true },
          ...{ hyperparameters: { finetuning_type: "lora" }, ...adapter },
        },
      },
      finetuning: { enabled: true, output_dir: "out", held_out: 0.4, ...finetuning },
      ...sections,
    },
  });
}

const doctor = (of: Project, ...args: string[]) => of.run("doctor", "config.yml", "--json", ...args);
const checksOf = (ended: Ended) => jsonOf<{ checks: Check[] }>(ended).checks;
const byName = (ended: Ended) => new Map(checksOf(ended).map((check) => [check.name, check]));
const faultsOf = (ended: Ended) =>
  Object.fromEntries(
    checksOf(ended)
      .filter(({ status }) => status === "failed" || status === "warning")
      .map(({ name, status, detail }) => [name, `${status}: ${detail}`]),
  );

test("a configuration with all it needs passes every check, and nothing is spent or changed by looking", async () => {
  const before = (await platform.call("GET", "/v1/namespaces")).body.data.length;
  await using sound = await project(platform.origin);
  const calls = model.calls;
  const ended = await doctor(sound);

  expect(ended.code).toBe(0);
  expect(checksOf(ended).map(({ name, status }) => `${name} ${status}`)).toEqual([
    ...["configuration ok", "node ok", "output_dir ok", "disk ok", "llms.model ok", "workflow ok", "data_set ok"],
    ...["finetuning ok", "entity_store ok", "datastore ok", "customization_config ok", "hyperparameters ok"],
    // Without a platform of this machine nobody knows the tokenizer, and without pairs what their prompts lose.
    ...["deployments ok", "gate ok", "message_history unknown", "chat_template unknown", "lengths unknown"],
  ]);
  const checks = byName(ended);
  expect(checks.get("llms.model")?.detail).toBe(`${model.url} serves test-model`);
  expect(checks.get("entity_store")?.detail).toContain("the namespace ns will be made");
  expect(checks.get("customization_config")?.detail).toBe("local/tiny@v1.0.0+CPU is there, 128 tokens a row at most");
  expect(checks.get("gate")?.detail).toMatch(/judged by quality on \d+ examples/);
  expect(model.calls).toBe(calls);
  expect((await platform.call("GET", "/v1/namespaces")).body.data).toHaveLength(before);
  expect((await platform.call("GET", "/v1/customization/jobs")).body.data).toEqual([]);
  expect(existsSync(sound.out)).toBe(false);
});

test("everything that is wrong is told at once, each with what to do: exit 2", async () => {
  await using wrong = await project(platform.origin, {
    adapter: {
      ...{ create_namespace_if_missing: false, customization_config: "local/tinny@v1.0.0+CPU" },
      deploy_on_completion: false,
    },
    finetuning: { gate: { min_gain: 0.1 } },
    llm: { model_name: "test-modle" },
    sections: {
      platform: { _type: "embedded", models: { "local/none@v1+CPU": "./nothing-here" } },
    },
    env: { XDG_DATA_HOME: join(home, "elsewhere") },
  });
  // Another finetune uses the folder: this very process lives.
  await mkdir(wrong.out);
  await writeFile(join(wrong.out, "finetune.lock"), `${process.pid} ${hostname()} someone\n`);
  // No platform runs on that data folder; services that are not asked cannot fail.
  const ended = await wrong.runWith({}, "doctor", "config.yml", "--json");

  expect(ended.code).toBe(2);
  const faults = faultsOf(ended);
  expect(Object.keys(faults)).toEqual([
    "output_dir",
    "llms.model",
    "platform.models.local/none@v1+CPU",
    "base_model",
    "gate",
  ]);
  expect(faults.output_dir).toContain(`process ${process.pid} is writing here`);
  expect(faults["llms.model"]).toContain('does not list "test-modle". Did you mean "test-model"?');
  expect(faults["platform.models.local/none@v1+CPU"]).toContain("nothing-here");
  expect(faults.base_model).toContain(
    'platform: {_type: embedded, models: {"local/tinny@v1.0.0+CPU": ./model-folder}}',
  );
  expect(faults.gate).toContain("set deploy_on_completion: true");
  const checks = byName(ended);
  expect(checks.get("platform")?.status).toBe("skipped");
  expect(checks.get("customization_config")).toMatchObject({
    status: "skipped",
    detail: expect.stringContaining("does not run"),
  });
  expect(existsSync(join(home, "elsewhere"))).toBe(false);
});

test("what services would refuse is found out by asking them: namespace, config, kind of training", async () => {
  await using wrong = await project(platform.origin, {
    adapter: { create_namespace_if_missing: false, customization_config: "local/tinny@v1.0.0+CPU" },
  });
  const ended = await doctor(wrong);
  expect(ended.code).toBe(2);
  expect(faultsOf(ended)).toEqual({
    entity_store: expect.stringContaining(
      'the Entity Store has no "ns" (create it, or set create_namespace_if_missing: true)',
    ),
    datastore: expect.stringContaining('the Datastore has no "ns"'),
    customization_config: expect.stringContaining(
      'has no config "local/tinny@v1.0.0+CPU". Did you mean "local/tiny@v1.0.0+CPU"? (name one of: local/tiny@v1.0.0+CPU)',
    ),
  });

  const only_sft: Rules = {
    "GET /v1/namespaces/*": { status: 200, body: {} },
    "GET /v1/datastore/namespaces/*": { status: 401, body: { detail: "no" } },
    "GET /v1/customization/configs": {
      status: 200,
      body: {
        data: [
          {
            namespace: "local",
            name: "tiny@v1.0.0+CPU",
            training_options: [{ training_type: "sft", finetuning_type: "lora" }],
          },
        ],
      },
    },
    "GET /v1/models": { status: 401, body: { error: { message: "who are you?" } } },
  };
  const stub = await startStub(only_sft);
  try {
    await using refused = await project(stub.origin, { llm: { base_url: `${stub.origin}/v1` } });
    const second = await doctor(refused);
    expect(second.code).toBe(2);
    expect(faultsOf(second)).toEqual({
      "llms.model": expect.stringMatching(/answered 401: who are you\?.*set OPENAI_API_KEY/),
      datastore: expect.stringContaining("does not accept the key (HTTP 401: no) (set HF_TOKEN or hf_token)"),
      hyperparameters: expect.stringContaining(
        "does not do dpo with lora (set training_type and finetuning_type to sft with lora)",
      ),
      deployments: expect.stringContaining("has no Deployment Management"),
    });
    expect(stub.calls().filter((call) => !call.startsWith("GET"))).toEqual([]);
  } finally {
    await stub.stop();
  }
});

test("nobody there is exit 6, when nothing else is wrong", async () => {
  const nobody = "http://127.0.0.1:9";
  await using lost = await project(nobody, { llm: { base_url: `${nobody}/v1` } });
  const ended = await doctor(lost);
  expect(ended.code).toBe(6);
  const faults = faultsOf(ended);
  const asked = ["llms.model", "entity_store", "datastore", "customization_config", "hyperparameters", "deployments"];
  expect(Object.keys(faults)).toEqual(asked);
  for (const name of asked) expect(faults[name]).toContain("no connection (ECONNREFUSED)");
});

test("a data folder that cannot be made is a finding, and the rest is looked at", async () => {
  await writeFile(join(home, "a-file"), "");
  await using wrong = await project("http://unused", {
    sections: { platform: "embedded" },
    env: { XDG_DATA_HOME: join(home, "a-file") },
  });
  const ended = await doctor(wrong);
  expect(ended.code).toBe(2);
  expect(byName(ended).get("platform")).toMatchObject({
    status: "failed",
    detail: expect.stringContaining("nothing can be written"),
  });
  expect(byName(ended).get("data_set")?.status).toBe("ok");
});

const MANIFEST = {
  ...{ run_id: "2026-01-01T00-00-00", command: "finetune", status: "completed", started_at: "2026-01-01T00:00:00Z" },
  ...{ pairwright_version: "0", node_version: "20", seed: 0, reps: 1, policy_only: false, inputs: {}, outputs: {} },
  ...{ asked: { examples: 3 }, got: { completed: 3, failed: 0 }, missing: {}, counts: {}, notes: [] },
};

test("with the embedded platform the model's template and the lengths of rows are known, and what text prompts lose", async () => {
  await using sound = await project("http://unused", {
    sections: { platform: { _type: "embedded", serves: ["other"], models: { "local/tiny@v1.0.0+CPU": place.model } } },
    env: { XDG_DATA_HOME: home },
  });
  const llms = "llms.other";
  const serving = [
    "-o",
    `${llms}._type`,
    "openai",
    "-o",
    `${llms}.model_name`,
    "local/tiny",
    "-o",
    "finetuning.target_model",
    "model",
  ];
  const first = await doctor(sound, ...serving);
  expect(first.stderr).toContain(`trainer_adapters.adapter.entity_host is ${platform.origin}`);
  expect({ code: first.code, faults: faultsOf(first) }).toEqual({ code: 0, faults: {} });
  const checks = byName(first);
  expect(checks.get("platform")?.detail).toContain(platform.origin);
  expect(checks.get("llms.other")?.detail).toBe(`${platform.origin}/nim/v1 serves local/tiny`);
  expect(checks.get("base_model")?.detail).toContain(place.model);
  expect(checks.get("chat_template")?.detail).toBe("local/tiny@v1.0.0+CPU has a chat template of its own");
  // e000: a character is a token.
  expect(checks.get("lengths")?.detail).toMatch(/^inputs of the data set: up to 4 tokens .* of 128/);

  // A run of before says more.
  const run_dir = join(sound.out, "2026-01-01T00-00-00");
  await mkdir(join(run_dir, "dataset"), { recursive: true });
  await writeFile(join(run_dir, "manifest.json"), JSON.stringify(MANIFEST));
  const row = (words: number) =>
    `${JSON.stringify({ prompt: "one ".repeat(words), chosen_response: "yes", rejected_response: "no" })}\n`;
  await writeFile(join(run_dir, "dataset", "training_file.jsonl"), row(1) + row(2) + row(300));
  const pair = (side: string) =>
    `${JSON.stringify({
      prompt: [
        { role: "system", content: `You play ${side}` },
        { role: "user", content: "X" },
      ],
    })}\n`;
  await writeFile(join(run_dir, "pairs.jsonl"), pair("X") + pair("O") + pair("X"));
  const second = await doctor(sound, ...serving);
  expect(second.code).toBe(0);
  expect(faultsOf(second)).toEqual({
    message_history: expect.stringMatching(/2 different ones in the 3 pairs of .*set it to true/),
    lengths: expect.stringMatching(/3 rows of .*training_file.jsonl: .* of 128.*1 are too long to be trained on/),
  });
  expect(await readdir(sound.out)).toEqual(["2026-01-01T00-00-00"]);
});

const VARIABLE = "$".concat("{CUSTOMIZER_HOST}");

test("a configuration at fault is told as validate tells it; variables of the training alone let the rest be looked at", async () => {
  await using broken = await project(platform.origin, { sections: { splitt: {} } });
  const ended = await doctor(broken);
  expect(ended.code).toBe(2);
  expect(checksOf(ended)).toMatchObject([
    { name: "configuration", status: "failed", detail: expect.stringContaining('Did you mean "split"?') },
  ]);

  await using unset = await project(VARIABLE, { finetuning: { enabled: false } });
  const partly = await doctor(unset);
  expect(partly.code).toBe(0);
  expect(faultsOf(partly)).toEqual({ configuration: expect.stringContaining("CUSTOMIZER_HOST is not set") });
  expect(byName(partly).get("training")?.status).toBe("skipped");
  expect(byName(partly).get("llms.model")?.status).toBe("ok");
  const people = await unset.run("doctor", "config.yml");
  expect(people.stdout).toMatch(/^warning +configuration +config.yml:\d+.*CUSTOMIZER_HOST/);
});
