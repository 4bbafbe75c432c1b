import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { trainingPlace } from "../src/engine/__fixtures__/model-folder.ts";
import type { Clock } from "../src/lib/clock.ts";
import { PairwrightError } from "../src/lib/errors.ts";
import { silentLogger } from "../src/lib/log.ts";
import { createJobFile, openJobFile } from "../src/pipeline/finetune/job-file.ts";
import { train } from "../src/pipeline/finetune/train.ts";
import { startTestPlatform, type TestPlatform } from "../src/platform/__fixtures__/test-platform.ts";
import type { JobRecord } from "../src/records/job.ts";
import { nemoCustomizerBackend } from "../src/training/nemo-customizer-backend.ts";
import { NemoCustomizerTrainerAdapterOptions } from "../src/training/nemo-customizer-options.ts";
import { type ProxyFault, startFaultyProxy } from "./support/faulty-proxy.ts";
import { jsonOf } from "./support/program.ts";
import { makeProject, type Project } from "./support/project.ts";
import { startTrainingPlatform, type TrainingPlatform } from "./support/training-platform.ts";

// The platform is the real one and trains. What goes wrong, goes wrong between it and the client, which is one process
// until it gives up, and another one when it goes on.
const BUILT = new URL("../dist/platform/start-platform.js", import.meta.url).href;

let place: Awaited<ReturnType<typeof trainingPlace>>;
let platform: TestPlatform;
let dir = "";

beforeAll(async () => {
  place = await trainingPlace();
  dir = await mkdtemp(join(tmpdir(), "pairwright-faults-"));
  const { startPlatform } = (await import(BUILT)) as typeof import("../src/platform/start-platform.ts");
  platform = await startTestPlatform({ models: [`tiny=${place.model}`], max_running_jobs: 4 }, startPlatform);
  const row = (n: number) =>
    `${JSON.stringify({ prompt: `question ${n}`, chosen_response: "yes", rejected_response: "no" })}\n`;
  await writeFile(join(dir, "training.jsonl"), [1, 2, 3].map(row).join(""));
  await writeFile(join(dir, "validation.jsonl"), row(4));
});
afterAll(async () => {
  await platform.stop();
  await place[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

/** Pauses between tries and polls are a hundredth of what they are. */
const clock: Clock = {
  now: Date.now,
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(20, ms / 100))),
};

interface Ended {
  error: PairwrightError | undefined;
  record: JobRecord;
  lines: string[];
}

/** For one request, in ms: only where nothing will ever answer is it worth ending soon. */
const PATIENT = 20_000;
const IMPATIENT = 1500;

/** One process: submits or goes on, waits, deploys, waits. */
async function processOf(origin: string, namespace: string, timeout_ms = PATIENT): Promise<Ended> {
  const options = NemoCustomizerTrainerAdapterOptions.parse({
    ...{ entity_host: origin, datastore_host: origin, namespace, dataset_name: "pairs" },
    ...{ customization_config: "local/tiny@v1.0.0+CPU", deploy_on_completion: true },
    hyperparameters: { finetuning_type: "lora", epochs: 1 },
  });
  const backend = nemoCustomizerBackend(options, { env: {}, clock, timeout_ms });
  const folder = join(dir, namespace);
  const file_options = { clock, scrub: (text: string) => text };
  const facts = { run_id: "r", trainer_adapter: "a", type: "t", place: "p", tag: `tag-${namespace}` };
  const job = (await openJobFile(folder, file_options)) ?? (await createJobFile(folder, facts, [], file_options));
  const lines: string[] = [];
  const log = {
    ...silentLogger,
    info: (line: string) => void lines.push(line),
    warn: (line: string) => void lines.push(line),
  };
  const files = {
    training: { path: join(dir, "training.jsonl"), rows: 3 },
    validation: { path: join(dir, "validation.jsonl"), rows: 1 },
  };
  const { signal } = new AbortController();
  try {
    const error = await train(files, job, { backend, wait: true, clock, drain: signal, stop: signal, log }).then(
      () => undefined,
      (error: unknown) => {
        if (!PairwrightError.is(error)) throw error;
        return error;
      },
    );
    return { error, record: job.record, lines };
  } finally {
    backend.close();
  }
}

/** What is at the platform, in numbers. */
async function countsIn(namespace: string, { call }: Pick<TrainingPlatform, "call"> = platform) {
  const listed = async (path: string) =>
    (await call("GET", `${path}?filter[namespace]=${namespace}`)).body.data as { status?: string }[];
  const commits = (await call("GET", `/v1/hf/api/datasets/${namespace}/pairs/commits/main`)).body as {
    title: string;
  }[];
  return {
    uploads: commits.filter(({ title }) => title.startsWith("pairwright ")).length,
    datasets: (await listed("/v1/datasets")).length,
    jobs: (await listed("/v1/customization/jobs")).map(({ status }) => status),
    deployments: (await listed("/v1/deployment/model-deployments")).length,
  };
}

const ONE_OF_EACH = { uploads: 1, datasets: 1, jobs: ["completed"], deployments: 1 };

interface Case extends ProxyFault {
  code: string;
  exit_code: 5 | 6;
  says: string;
  /** Of the job that is recorded. */
  status: JobRecord["status"];
}

const failing = { status: 500 } as const;
const CASES: Record<string, Case> = {
  "answers 500 three times when it is first asked": {
    ...{ at: /GET \/v1\/namespaces\//, fault: failing, times: 3 },
    ...{ code: "platform_error", exit_code: 6, says: "failed (HTTP 500: planted)", status: "submitting" },
  },
  "takes the upload and cuts the connection": {
    ...{ at: /\/commit\/main$/, fault: "cut", times: 1, passes: true },
    ...{
      code: "platform_unreachable",
      exit_code: 6,
      says: "failed to connect to NeMo Datastore",
      status: "submitting",
    },
  },
  "takes the upload but not the data set's entity": {
    ...{ at: /POST \/v1\/datasets$/, fault: failing, times: 3 },
    ...{ code: "platform_error", exit_code: 6, says: "POST http", status: "submitting" },
  },
  "takes the job and answers 500": {
    ...{ at: /POST \/v1\/customization\/jobs$/, fault: failing, times: 1, passes: true },
    ...{ code: "platform_error", exit_code: 6, says: "failed (HTTP 500: planted)", status: "submitting" },
  },
  "takes the job and hangs": {
    ...{ at: /POST \/v1\/customization\/jobs$/, fault: "hang", times: 1, passes: true },
    ...{ code: "platform_unreachable", exit_code: 6, says: "no whole answer within 1.5 s", status: "submitting" },
  },
  "hangs while the job runs": {
    ...{ at: /GET .*\/jobs\/[^/]+\/status$/, fault: "hang" },
    ...{ code: "job_status_unknown", exit_code: 6, says: "no whole answer within 1.5 s", status: "unknown" },
  },
  "says a status that nobody knows": {
    ...{ at: /GET .*\/jobs\/[^/]+\/status$/, fault: { rewrite: (body) => ({ ...body, status: "levitating" }) } },
    ...{ code: "job_status_unknown", exit_code: 6, says: '"levitating", which is no status', status: "unknown" },
  },
  "answers with somebody's web page": {
    ...{ at: /GET .*\/jobs\/[^/]+\/status$/, fault: { status: 200, text: "<html>Sign in</html>" } },
    ...{ code: "job_status_unknown", exit_code: 6, says: "the answer holds no status", status: "unknown" },
  },
  "takes the deployment and hangs": {
    ...{ at: /POST \/v1\/deployment\/model-deployments$/, fault: "hang", times: 1, passes: true },
    ...{ code: "platform_unreachable", exit_code: 6, says: "no whole answer within 1.5 s", status: "completed" },
  },
  "answers 500 while the deployment is made": {
    ...{
      at: /GET \/v1\/deployment\/model-deployments\/[^/]+\/tag-|GET .*model-deployments\/[^/]+\/pairs-/,
      fault: failing,
    },
    ...{ code: "platform_error", exit_code: 6, says: "failed (HTTP 500: planted)", status: "completed" },
  },
};

test.concurrent.each(Object.entries(CASES))(
  "a platform that %s ends the command; the next one goes on and makes nothing twice",
  async (name, { code, exit_code, says, status, ...fault }) => {
    const namespace = name.replace(/[^a-z0-9]+/g, "-");
    await mkdir(join(dir, namespace));
    const proxy = await startFaultyProxy(platform.origin);
    try {
      proxy.plant(fault);
      const first = await processOf(proxy.origin, namespace, fault.fault === "hang" ? IMPATIENT : PATIENT);
      expect(first.error).toMatchObject({ code, exit_code });
      expect(first.error?.message).toContain(says);
      expect(first.error?.fix).toMatch(/--resume|jobs wait|address/);
      expect(first.record.status).toBe(status);
      expect(proxy.struck()).toBeGreaterThan(0);
      proxy.plant(undefined);

      const second = await processOf(proxy.origin, namespace);

      expect(second.error).toBeUndefined();
      expect(second.record).toMatchObject({ status: "completed", deployment: { status: "ready" } });
      expect(await countsIn(namespace)).toEqual(ONE_OF_EACH);
      const stored = JSON.parse(await readFile(join(dir, namespace, "job.json"), "utf8")) as JobRecord;
      expect(stored.model).toMatch(new RegExp(`^${namespace}/pairs-`));
    } finally {
      await proxy.stop();
    }
  },
);

test.concurrent("a platform that loses the progress is waited for all the same, and no progress is made up", async () => {
  const proxy = await startFaultyProxy(platform.origin);
  try {
    await mkdir(join(dir, "no-progress"));
    const lost = ({ status }: { status: string }) => ({ status });
    proxy.plant({ at: /GET .*\/jobs\/[^/]+\/status$/, fault: { rewrite: lost } });
    const { error, record, lines } = await processOf(proxy.origin, "no-progress");
    expect(error).toBeUndefined();
    expect(record).toMatchObject({ status: "completed", progress: null, deployment: { status: "ready" } });
    const told = lines.filter((line) => line.startsWith(`job ${record.id}`));
    expect(told.at(-1)).toBe(`job ${record.id}: completed`);
    expect(told.filter((line) => line.includes("%"))).toEqual([]);
  } finally {
    await proxy.stop();
  }
});

test.concurrent("a job that is completed without an output model is asked again by --resume, and not trained again", async () => {
  const proxy = await startFaultyProxy(platform.origin);
  await using project = await ownModel(proxy.origin, { namespace: "nameless", evaluators: {} });
  const finetune = (...args: string[]) => project.runWith({}, "finetune", "config.yml", "--json", ...args);
  try {
    const nameless = ({ output_model: _, ...job }: { output_model: string }) => job;
    proxy.plant({ at: /GET .*\/jobs\/cust-[^/]+$/, fault: { rewrite: nameless } });
    const lost = await finetune();
    expect(lost.code).toBe(5);
    expect(jsonOf(lost)).toMatchObject({
      error: { code: "no_output_model", fix: expect.stringContaining("--resume asks once more") },
      job: { status: "completed", model: null },
    });
    proxy.plant(undefined);

    const ended = await finetune("--resume");

    expect(ended.code).toBe(0);
    expect(jsonOf(ended)).toMatchObject({ job: { status: "completed" }, deployment: { status: "ready" } });
    expect(await countsIn("nameless")).toEqual(ONE_OF_EACH);
  } finally {
    await proxy.stop();
  }
});

/** A project whose model is the platform's own, played, trained and measured through the proxy. */
function ownModel(
  origin: string,
  { namespace = "ns", evaluators = { long: { _type: "long" } } as Record<string, unknown> } = {},
): Promise<Project> {
  return makeProject({
    ...{ url: `${origin}/nim/v1`, examples: 8, env: { CUSTOMIZER_NIM_URL: `${origin}/nim/v1` } },
    llm: { model_name: "local/tiny", max_tokens: 6, temperature: 1 },
    evaluators,
    sections: {
      plugins: [SHORT_PLUGIN],
      workflow: { _type: "short", llm: "model" },
      trajectory_builders: { builder: { _type: "dpo_traj_builder" } },
      trainers: { trainer: { _type: "nemo_customizer_trainer" } },
      trainer_adapters: {
        adapter: {
          ...{ _type: "nemo_customizer_trainer_adapter", entity_host: origin, datastore_host: origin },
          ...{ namespace, dataset_name: "pairs", customization_config: "local/tiny@v1.0.0+CPU" },
          ...{ poll_interval_seconds: 0.05, deploy_on_completion: true },
          hyperparameters: { finetuning_type: "lora", epochs: 1 },
        },
      },
      finetuning: { enabled: true, output_dir: "out", held_out: 0.4 },
    },
  });
}

const SHORT_PLUGIN = fileURLToPath(new URL("support/short-plugin.ts", import.meta.url));

/** Where the platform is killed, in the order that a finetune comes by; and what the command that is under way says. */
const KILLS: { where: string; fault: Omit<ProxyFault, "fault" | "strike">; code: string }[] = [
  // e001 is held out: nothing is collected from it.
  { where: "the measurement before", fault: { at: /chat\/completions$/, holds: "e001" }, code: "model_unreachable" },
  { where: "the upload", fault: { at: /\/commit\/main$/ }, code: "platform_unreachable" },
  { where: "the job", fault: { at: /GET .*\/jobs\/[^/]+\/status$/ }, code: "job_status_unknown" },
  { where: "the deployment", fault: { at: /POST .*\/model-deployments$/, passes: true }, code: "platform_unreachable" },
  { where: "the measurement", fault: { at: /chat\/completions$/, holds: "ns/pairs-" }, code: "model_unreachable" },
];

test.concurrent("killed and started again in the middle of upload, job, deployment and measurement, the platform costs one finetune nothing", async () => {
  const data = join(dir, "killed");
  const start = () => startTrainingPlatform(dir, { data, models: [`tiny=${place.model}`] });
  let running = await start();
  const proxy = await startFaultyProxy(running.origin);
  await using project = await ownModel(proxy.origin);
  const finetune = (...args: string[]) => project.runWith({}, "finetune", "config.yml", "--json", ...args);
  try {
    for (const [index, { where, fault, code }] of KILLS.entries()) {
      proxy.plant({ ...fault, fault: "cut", strike: () => running.kill() });
      const lost = await finetune(...(index === 0 ? [] : ["--resume"]));
      expect({ where, exit: lost.code, code: jsonOf<{ error: { code: string } }>(lost).error.code }).toEqual({
        where,
        exit: 6,
        code,
      });
      proxy.plant(undefined);
      running = await start();
      proxy.aim(running.origin);
    }

    const ended = await finetune("--resume");

    expect({ code: ended.code, stderr: ended.code === 0 ? "" : ended.stderr }).toEqual({ code: 0, stderr: "" });
    const result = jsonOf<{ after: { examples: number; failed: number; scores: { long: { n: number } } } }>(ended);
    expect(result).toMatchObject({
      before: { failed: 0 },
      after: { failed: 0 },
      verdict: { n: result.after.examples },
    });
    expect(result.after.scores.long.n).toBe(result.after.examples);
    expect(result).toMatchObject({ job: { status: "completed" }, deployment: { status: "ready" } });
    expect(await countsIn("ns", running)).toEqual(ONE_OF_EACH);
  } finally {
    await proxy.stop();
    await running.stop();
  }
}, 60_000);
