import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { trainingPlace } from "../src/engine/__fixtures__/model-folder.ts";
import { startTestPlatform } from "../src/platform/__fixtures__/test-platform.ts";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import type { Fault } from "../src/testing/model-server-fault.ts";
import { JOB, WELL } from "../src/training/__fixtures__/nemo-rules.ts";
import { type Reply, type Rules, startStub } from "../src/training/__fixtures__/stub-services.ts";
import { guessReply } from "./support/guesses.ts";
import { jsonOf } from "./support/program.ts";
import { filesBelow, makeProject, type Project, resultBytes, runDirs, runLines } from "./support/project.ts";

let model: ModelServer;
beforeAll(async () => {
  model = await startModelServer({ reply: guessReply });
});
afterAll(() => model.close());

interface Given {
  trainer?: Record<string, unknown>;
  adapter?: Record<string, unknown>;
  finetuning?: Record<string, unknown>;
  examples?: number;
  env?: Record<string, string>;
  url?: string;
  workflow?: Record<string, unknown>;
}

/** A project that trains at `origin`. */
function trainer(origin: string, given: Given = {}): Promise<Project> {
  return makeProject({
    url: given.url ?? model.url,
    examples: given.examples ?? 5,
    // Measuring before and after has its own tests.
    evaluators: {},
    ...(given.env && { env: given.env }),
    ...(given.workflow && { workflow: given.workflow }),
    sections: {
      trainers: { nemo_trainer: { _type: "nemo_customizer_trainer", ...given.trainer } },
      trainer_adapters: {
        nemo_adapter: {
          _type: "nemo_customizer_trainer_adapter",
          ...{
            entity_host: origin,
            datastore_host: origin,
            namespace: "ns",
            customization_config: "local/tiny@v1.0.0+CPU",
          },
          poll_interval_seconds: 0.02,
          ...given.adapter,
        },
      },
      finetuning: { enabled: true, output_dir: "out", ...given.finetuning },
    },
  });
}

/** Services on which everything goes well, but for these rules. */
async function services(rules: Rules = {}) {
  const stub = await startStub({ ...WELL, ...rules });
  return { ...stub, [Symbol.asyncDispose]: stub.stop };
}

const status = (body: object): Reply => ({ status: 200, body });
const posts = (calls: readonly string[]) => calls.filter((call) => !call.startsWith("GET"));
const jobFile = async (project: Project) => {
  const [run_dir = ""] = await runDirs(project.out);
  return JSON.parse(await readFile(join(run_dir, "job.json"), "utf8"));
};
const run = (project: Project, ...args: string[]) => project.run("finetune", "config.yml", "--json", ...args);

test("from examples to a deployed model at the embedded platform, in two runs of the data set, with overrides", async () => {
  await using place = await trainingPlace();
  const built = new URL("../dist/platform/start-platform.js", import.meta.url).href;
  const { startPlatform } = (await import(built)) as typeof import("../src/platform/start-platform.ts");
  const platform = await startTestPlatform({ models: [`tiny=${place.model}`] }, startPlatform);
  try {
    await using project = await trainer(platform.origin, {
      adapter: { deploy_on_completion: true, hyperparameters: { finetuning_type: "lora", batch_size: 32 } },
    });
    const ended = await run(
      ...[project, "-o", "trainers.nemo_trainer.num_runs", "2"],
      ...["-o", "trainer_adapters.nemo_adapter.hyperparameters.epochs", "1"],
      ...["-o", "trainer_adapters.nemo_adapter.hyperparameters.learning_rate", "1e-5"],
    );

    expect(ended.stderr).toContain("deployment ns/");
    const result = jsonOf<{ model: string; timing: Record<string, number> }>(ended);
    const { total = 0, ...parts } = result.timing;
    expect(Object.keys(parts)).toEqual(["collect", "pairs", "upload", "train", "deploy", "measure", "other"]);
    expect(Object.values(parts).reduce((sum, seconds) => sum + seconds, 0)).toBeCloseTo(total, 1);
    for (const stage of ["collect", "upload", "train", "deploy"]) expect(parts[stage]).toBeGreaterThan(0);
    expect(result).toMatchObject({
      ...{ examples: 8, completed: 8, failed: 0 },
      job: { status: "completed", progress: 100, backend_status: "completed" },
      deployment: { status: "ready" },
    });
    expect(ended.code).toBe(0);
    const [run_dir = ""] = await runDirs(project.out);
    // Each run of the data set has seeds of its own, so it finds other candidates.
    const runs = await runLines(run_dir);
    expect(runs.map(({ run_index }) => run_index).sort()).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(new Set(runs.map(({ output }) => JSON.stringify(output))).size).toBe(8);

    const jobs = (await platform.call("GET", "/v1/customization/jobs")).body.data;
    expect(jobs).toHaveLength(1);
    expect(jobs[0]).toMatchObject({
      output_model: result.model,
      hyperparameters: {
        epochs: 1,
        learning_rate: 1e-5,
        batch_size: 32,
        training_type: "dpo",
        finetuning_type: "lora",
      },
    });
    for (const [there, here] of [
      ["training/training_file.jsonl", "training_file.jsonl"],
      ["validation/validation_file.jsonl", "validation_file.jsonl"],
    ]) {
      const answer = await fetch(`${platform.origin}/v1/hf/datasets/ns/nat-dpo/resolve/main/${there}`);
      expect(await answer.text()).toBe(await readFile(join(run_dir, "dataset", here ?? ""), "utf8"));
    }
    const chat = await platform.call("POST", "/nim/v1/chat/completions", {
      model: result.model,
      messages: [{ role: "user", content: "hello" }],
      max_tokens: 2,
    });
    expect(chat.status).toBe(200);
  } finally {
    await platform.stop();
  }
}, 60_000);

test("the seeds' files tell of every run of the data set and of the training", async () => {
  await using stub = await services();
  await using project = await trainer(stub.origin, { trainer: { num_runs: 3 } });
  expect((await run(project)).code).toBe(0);

  const text = async (name: string) => readFile(join(project.out, name), "utf8");
  const history = JSON.parse(await text("collection_history.json"));
  expect(
    (await text("data_collection_progress.jsonl"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual(history);
  expect(history).toHaveLength(3);
  for (const [index, entry] of history.entries()) {
    expect(entry).toMatchObject({ run_number: index + 1, completed: 4, failed: 0, num_trajectories: 4 });
    expect(entry.min_reward).toBeGreaterThan(0);
    expect(entry.avg_reward).toBeGreaterThan(entry.min_reward);
    expect(entry.max_reward).toBeGreaterThan(entry.avg_reward);
  }
  const pairs = history.reduce((sum: number, { num_dpo_pairs }: { num_dpo_pairs: number }) => sum + num_dpo_pairs, 0);
  expect(JSON.parse(await text("final_metrics.json"))).toMatchObject({
    ...{ status: "completed", progress: 100, model: JOB.output_model, num_collection_runs: 3 },
    ...{ total_trajectory_groups: 12, collection_summary: { total_dpo_pairs: pairs } },
    job_metadata: { id: JOB.id, details: { status: "completed", percentage_done: 100 } },
  });
});

test("without waiting the id comes back; another process waits and deploys, and nothing is done twice", async () => {
  let state = "running";
  await using stub = await services({
    "GET /v1/customization/jobs/*/status": () => status({ status: state, percentage_done: 5 }),
    "GET /v1/customization/jobs": status({ data: [JOB], pagination: { total_pages: 1 } }),
    "GET /v1/deployment/model-deployments/*/*": (_request, times) =>
      times === 1 ? { status: 404 } : status({ status_details: { status: "ready" } }),
  });
  await using project = await trainer(stub.origin, { adapter: { deploy_on_completion: true } });
  const submitted = await run(project, "--no-wait");
  expect(submitted.code).toBe(0);
  expect(jsonOf(submitted)).toMatchObject({ job: { id: "cust-1", status: "pending" }, model: null, deployment: null });
  const before = posts(stub.calls());

  const jobs = (...args: string[]) => project.run("jobs", ...args, "--config_file", "config.yml", "--json");
  const { run_id } = await jobFile(project);
  expect(jsonOf(await jobs("list"))).toMatchObject({ jobs: [{ id: "cust-1", run_id }] });
  expect(jsonOf(await jobs("show", run_id))).toMatchObject({ id: "cust-1", status: "running", progress: 5 });
  state = "completed";
  const waited = await jobs("wait", "cust-1");
  expect(waited.code).toBe(0);
  expect(jsonOf(waited)).toMatchObject({
    status: "completed",
    model: JOB.output_model,
    deployment: { status: "ready" },
  });
  expect(posts(stub.calls()).slice(before.length)).toEqual([
    "POST /v1/deployment/configs",
    "POST /v1/deployment/model-deployments",
  ]);
  // There is nothing left to do.
  expect((await jobs("wait", "cust-1")).code).toBe(0);
  expect(posts(stub.calls())).toHaveLength(before.length + 2);
});

test("killed while it waits, the same command goes on with the same job", async () => {
  let state = "running";
  await using stub = await services({ "GET /v1/customization/jobs/*/status": () => status({ status: state }) });
  await using project = await trainer(stub.origin);
  const first = project.start("finetune", "config.yml");
  await first.says("job cust-1: running");
  const second = await run(project);
  expect(second).toMatchObject({ code: 2 });
  expect(jsonOf<{ error: object }>(second).error).toMatchObject({ code: "locked" });
  first.child.kill("SIGKILL");
  await first.ended;
  const before = posts(stub.calls());
  const lines = (await runLines((await runDirs(project.out))[0] ?? "")).length;
  state = "completed";

  const resumed = await run(project, "--resume");

  expect(resumed.code).toBe(0);
  expect(jsonOf(resumed)).toMatchObject({ completed: 4, job: { id: "cust-1", status: "completed" } });
  expect(posts(stub.calls())).toEqual(before);
  expect(await runDirs(project.out)).toHaveLength(1);
  expect(await runLines((await runDirs(project.out))[0] ?? "")).toHaveLength(lines);
});

test("Ctrl-C while it waits leaves the job to go on, and says how", async () => {
  await using stub = await services({ "GET /v1/customization/jobs/*/status": status({ status: "running" }) });
  await using project = await trainer(stub.origin);
  const started = project.start("finetune", "config.yml");
  await started.says("job cust-1: running");
  started.child.kill("SIGINT");
  const { code, stderr } = await started.ended;
  expect(code).toBe(130);
  expect(stderr).toContain("training job cust-1 goes on");
  expect(stderr).toContain("--resume 20");
  expect(stub.calls().filter((call) => call.includes("cancel"))).toEqual([]);
});

test("a failed job is exit 5 with the platform's own status_details; --resume submits another one with the same data", async () => {
  let fails = true;
  const details = { status: "failed", status_logs: [{ message: "TrainingJobFailed", detail: "NaN loss" }] };
  await using stub = await services({
    "GET /v1/customization/jobs/*/status": () => status(fails ? details : { status: "completed" }),
    "POST /v1/customization/jobs": (_request, times) => status({ ...JOB, id: `cust-${times}` }),
  });
  await using project = await trainer(stub.origin);
  const failed = await run(project);
  expect(failed.code).toBe(5);
  expect(jsonOf(failed)).toMatchObject({
    error: { code: "training_failed", what: expect.stringContaining("NaN loss") },
    job: { id: "cust-1", status: "failed", message: "NaN loss", status_details: details },
  });
  fails = false;

  const again = await run(project, "--resume");

  expect(again.code).toBe(0);
  expect(jsonOf(again)).toMatchObject({ job: { id: "cust-2", status: "completed" } });
  const record = await jobFile(project);
  expect(record.earlier).toMatchObject([{ id: "cust-1", status: "failed", message: "NaN loss" }]);
  expect(record.tag).not.toBe(record.earlier[0].tag);
  expect(await runDirs(project.out)).toHaveLength(1);
});

test("a platform that is not there any more while the job runs is exit 6; when it is back, --resume finishes", async () => {
  let back = false;
  await using stub = await services({
    "GET /v1/customization/jobs/*/status": (_request, times) =>
      times === 1 ? status({ status: "running" }) : back ? status({ status: "completed" }) : "cut",
  });
  await using project = await trainer(stub.origin);
  const lost = await run(project);
  expect(lost.code).toBe(6);
  expect(jsonOf(lost)).toMatchObject({
    error: { code: "job_status_unknown" },
    job: { id: "cust-1", status: "unknown" },
  });
  const before = posts(stub.calls());
  back = true;
  expect((await run(project, "--resume")).code).toBe(0);
  expect(posts(stub.calls())).toEqual(before);
});

test("a platform that takes the upload but not the data set's entity is exit 6; --resume uploads nothing again", async () => {
  let broken = true;
  await using stub = await services({
    "POST /v1/datasets": () => (broken ? { status: 500, body: { detail: "no database" } } : status({})),
  });
  await using project = await trainer(stub.origin);
  const lost = await run(project);
  expect(lost.code).toBe(6);
  expect(jsonOf(lost)).toMatchObject({ error: { code: "platform_error" }, job: { id: null, status: "submitting" } });
  broken = false;
  // Without its rows there is nothing to submit.
  const rows = join((await runDirs(project.out))[0] ?? "", "dataset/training_file.jsonl");
  await rename(rows, `${rows}.away`);
  const gone = await run(project, "--resume");
  expect(gone.code).toBe(2);
  expect(jsonOf(gone)).toMatchObject({
    error: { code: "no_dataset_files", where: expect.stringContaining("training_file") },
  });
  await rename(`${rows}.away`, rows);
  expect((await run(project, "--resume")).code).toBe(0);
  const commits = stub.calls().filter((call) => call.endsWith("/commit/main"));
  expect(commits).toHaveLength(1);
});

test("without pairs nothing is uploaded", async () => {
  await using stub = await services();
  await using single = await trainer(stub.origin, { workflow: { candidates: 1 } });
  const none = await run(single);
  expect(none.code).toBe(4);
  expect(none.stderr).toContain("error[no_pairs]: no preference pairs were generated");
  expect(posts(stub.calls())).toEqual([]);
});

test.each([
  [false, 3, "collection_failed"],
  [true, 3, undefined],
])(
  "a run of the data set in which nothing completes, with continue_on_collection_error: %s",
  async (go_on, code, error) => {
    // The first run of the data set fails as a whole: every example at its first call of three.
    const faults = (_request: unknown, call: number): Fault | null =>
      call <= 12 ? { kind: "status", status: 400 } : null;
    const down = await startModelServer({ reply: guessReply, faults });
    try {
      await using stub = await services();
      const given = { num_runs: 2, continue_on_collection_error: go_on };
      await using project = await trainer(stub.origin, {
        url: down.url,
        trainer: given,
        finetuning: { held_out: 0.01 },
      });
      const ended = await run(project, "--no-cache");
      expect(ended.code).toBe(code);
      const result = jsonOf<{ error?: { code: string }; job?: object }>(ended);
      expect(result.error?.code).toBe(error);
      if (go_on) expect(result).toMatchObject({ completed: 4, failed: 4, job: { status: "completed" } });
      else expect(posts(stub.calls())).toEqual([]);
    } finally {
      await down.close();
    }
  },
);

test("killed in the second of three runs of the data set, it ends with the same data set as if it was not", async () => {
  await using stub = await services();
  const slow = await startModelServer({ reply: guessReply, latency_ms: 30 });
  try {
    await using whole = await trainer(stub.origin, { trainer: { num_runs: 3 } });
    expect((await run(whole, "--no-cache")).code).toBe(0);
    await using cut = await trainer(stub.origin, { trainer: { num_runs: 3 }, url: slow.url });
    const started = cut.start("finetune", "config.yml", "--no-cache");
    await started.says("Run 1/3");
    started.child.kill("SIGKILL");
    await started.ended;

    expect((await run(cut, "--no-cache", "--resume")).code).toBe(0);

    const bytesOf = async (project: Project) => resultBytes((await runDirs(project.out))[0] ?? "");
    expect(await bytesOf(cut)).toEqual(await bytesOf(whole));
    const history = async ({ out }: Project) =>
      JSON.parse(await readFile(join(out, "collection_history.json"), "utf8"));
    const counted = ({ run_id: _, timestamp: __, ...entry }: Record<string, unknown>) => entry;
    expect((await history(cut)).map(counted)).toEqual((await history(whole)).map(counted));
  } finally {
    await slow.close();
  }
});

test.each([
  ["no namespace", "namespace_not_found", { "GET /v1/datastore/namespaces/*": { status: 404 } }],
  ["no such config", "customization_config_not_found", { "GET /v1/customization/configs": status({ data: [] }) }],
  ["another key", "platform_key_refused", { "GET /v1/namespaces/*": { status: 401 } }],
] as [string, string, Rules][])(
  "a platform with %s is found out before anything is collected",
  async (_, code, rules) => {
    await using stub = await services(rules);
    await using project = await trainer(stub.origin, { adapter: { create_namespace_if_missing: false } });
    const calls = model.calls;
    const ended = await run(project, "--no-cache");
    expect(ended.code).toBe(2);
    expect(jsonOf<{ error: { code: string } }>(ended).error.code).toBe(code);
    expect(model.calls).toBe(calls);
    expect(posts(stub.calls())).toEqual([]);
    expect(await runDirs(project.out)).toEqual([]);
  },
);

test.each([
  [{ enabled: false }, [], "finetuning_disabled"],
  [{}, ["--shard", "1/2"], "not_supported"],
  // What is not deployed cannot be measured.
  [{}, ["--gate"], "not_measurable"],
  [{ gate: { min_gain: 0.1 } }, [], "not_measurable"],
  [{ enabled: true, rounds: { count: 2 } }, [], "rounds_need_measuring"],
  [{}, ["--validation_dataset", "missing.jsonl"], "no_such_file"],
])("finetuning %o with %o is refused by name before anything is spent", async (finetuning, args, code) => {
  await using stub = await services();
  await using project = await trainer(stub.origin, { finetuning });
  const calls = model.calls;
  const ended = await run(project, ...args);
  expect(ended.code).toBe(2);
  expect(jsonOf<{ error: { code: string } }>(ended).error.code).toBe(code);
  expect(model.calls).toBe(calls);
  expect(stub.calls()).toEqual([]);
});

test("the platform's keys reach no file and no line", async () => {
  const [ngc, hf] = ["ngc-MARKED-0123456789", "hf-MARKED-0123456789"];
  await using stub = await services({
    // It repeats what it was sent, key and all.
    "GET /v1/customization/jobs/*/status": ({ headers }) =>
      status({ status: "failed", status_logs: [{ message: "m", detail: `denied: ${headers.authorization}` }] }),
  });
  await using project = await trainer(stub.origin, { adapter: { hf_token: hf }, env: { NGC_API_KEY: ngc } });
  const ended = await run(project, "--verbose");
  expect(ended.code).toBe(5);
  expect(stub.received.some(({ headers }) => headers.authorization === `Bearer ${ngc}`)).toBe(true);
  expect(stub.received.some(({ headers }) => headers.authorization === `Bearer ${hf}`)).toBe(true);
  expect(ended.stdout + ended.stderr).not.toContain("MARKED");
  const files = await filesBelow(project.out);
  expect(files.length).toBeGreaterThan(12);
  for (const file of files)
    expect({ file, text: await readFile(file, "utf8") }).not.toMatchObject({ text: expect.stringContaining("MARKED") });
});
