import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { trainingPlace } from "../src/engine/__fixtures__/model-folder.ts";
import { silentLogger } from "../src/lib/log.ts";
import { createJobFile, type JobFile, openJobFile } from "../src/pipeline/finetune/job-file.ts";
import { startTestPlatform } from "../src/platform/__fixtures__/test-platform.ts";
import type { TrainingBackend } from "../src/registry/training-backend.ts";
import { startDyingProxy } from "../src/training/__fixtures__/dying-proxy.ts";
import { nemoCustomizerBackend } from "../src/training/nemo-customizer-backend.ts";
import { NemoCustomizerTrainerAdapterOptions } from "../src/training/nemo-customizer-options.ts";

// Each case is one process that dies at one request, and another that goes on, on one platform which trains nothing.
let place: Awaited<ReturnType<typeof trainingPlace>>;
let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let dir = "";

beforeAll(async () => {
  place = await trainingPlace();
  dir = await mkdtemp(join(tmpdir(), "pairwright-killed-"));
  platform = await startTestPlatform({ models: [`tiny=${place.model}`], max_running_jobs: 0 });
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

const files = () => ({
  training: { path: join(dir, "training.jsonl"), rows: 3 },
  validation: { path: join(dir, "validation.jsonl"), rows: 1 },
});

interface Case {
  name: string;
  work(backend: TrainingBackend, job: JobFile): Promise<unknown>;
  /** What is at the platform in the end, in numbers. */
  counts(name: string): Promise<unknown>;
}

/** Of a process of its own: clients listen to it. */
const signal = () => new AbortController().signal;

const SUBMIT: Case = {
  name: "submit",
  work: (backend, job) => backend.submit(files(), job.steps(signal(), silentLogger)),
  async counts(namespace) {
    const { call } = platform;
    const commits = (await call("GET", `/v1/hf/api/datasets/${namespace}/pairs/commits/main`)).body;
    const datasets = (await call("GET", `/v1/datasets?filter[namespace]=${namespace}`)).body.data;
    const jobs = (await call("GET", `/v1/customization/jobs?filter[namespace]=${namespace}`)).body.data;
    const tree = (await call("GET", `/v1/hf/api/datasets/${namespace}/pairs/tree/main?recursive=true`)).body;
    const uploads = commits.filter(({ title }: { title: string }) => title.startsWith("pairwright "));
    const paths = tree.flatMap(({ type, path }: { type: string; path: string }) => (type === "file" ? [path] : []));
    return {
      uploads: uploads.length,
      datasets: datasets.length,
      jobs: jobs.length,
      paths: paths.filter((path: string) => path.endsWith(".jsonl")).sort(),
    };
  },
};

const DEPLOY: Case = {
  name: "deploy",
  work: (backend, job) => backend.deploy("local/tiny", job.steps(signal(), silentLogger)),
  async counts(namespace) {
    const { call } = platform;
    const of = async (kind: string) =>
      (await call("GET", `/v1/deployment/${kind}?filter[namespace]=${namespace}`)).body;
    return { configs: (await of("configs")).data.length, deployments: (await of("model-deployments")).data.length };
  },
};

const EXPECTED = new Map<Case, { requests: number; counts: unknown }>([
  [
    SUBMIT,
    {
      requests: 12,
      counts: {
        uploads: 1,
        datasets: 1,
        jobs: 1,
        paths: ["training/training_file.jsonl", "validation/validation_file.jsonl"],
      },
    },
  ],
  [DEPLOY, { requests: 3, counts: { configs: 1, deployments: 1 } }],
]);

function backendAt(origin: string, namespace: string, isDead: () => boolean): TrainingBackend {
  const options = NemoCustomizerTrainerAdapterOptions.parse({
    ...{ entity_host: origin, datastore_host: origin, namespace, dataset_name: "pairs" },
    ...{ customization_config: "local/tiny@v1.0.0+CPU", hyperparameters: { finetuning_type: "lora" } },
  });
  const sleep = async () => {
    if (isDead()) throw new Error("killed");
  };
  return nemoCustomizerBackend(options, { env: {}, clock: { now: Date.now, sleep } });
}

/** One process: it works until it is done or the proxy dies. What it wrote is in the folder. */
async function processOf(
  kill: { at: number; when: "before" | "after" },
  what: Case,
  namespace: string,
  folder: string,
) {
  const proxy = await startDyingProxy(platform.origin, kill.at, kill.when);
  const backend = backendAt(proxy.origin, namespace, proxy.died);
  const options = { clock: { now: Date.now }, scrub: (text: string) => text };
  const facts = { run_id: "r", trainer_adapter: "a", type: "t", place: "p", tag: `tag-${namespace}` };
  const job = (await openJobFile(folder, options)) ?? (await createJobFile(folder, facts, [], options));
  try {
    const outcome = await what.work(backend, job).then(
      () => "done",
      () => "killed",
    );
    return { outcome, requests: proxy.count(), died: proxy.died() };
  } finally {
    backend.close();
    await proxy.stop();
  }
}

test.each([
  ["submit", "before", SUBMIT],
  ["submit", "after", SUBMIT],
  ["deploy", "before", DEPLOY],
  ["deploy", "after", DEPLOY],
] as const)(
  "%s, killed at each request %s it was done: the next process makes nothing twice",
  async (_, when, what) => {
    const { requests, counts } = EXPECTED.get(what) ?? { requests: 0, counts: {} };
    let deaths = 0;
    for (let at = 1; at <= requests; at += 1) {
      const namespace = `${what.name}-${when}-${at}`;
      const folder = await mkdtemp(join(dir, `${namespace}-`));
      const first = await processOf({ at, when }, what, namespace, folder);
      if (first.died) deaths += 1;
      expect({ at, outcome: first.outcome }).toEqual({ at, outcome: "killed" });

      const second = await processOf({ at: 1000, when }, what, namespace, folder);

      expect({ at, outcome: second.outcome, counts: await what.counts(namespace) }).toEqual({
        ...{ at, outcome: "done", counts },
      });
      const stored = JSON.parse(await readFile(join(folder, "job.json"), "utf8"));
      expect(Object.values(stored.steps).filter((step) => !(step as { done_at?: string }).done_at)).toEqual([]);
    }
    expect(deaths).toBe(requests);
    // As many as a process needs that nobody kills: no request was left out above.
    const whole = await processOf({ at: 1000, when }, what, `${what.name}-${when}`, await mkdtemp(join(dir, "whole-")));
    expect(whole).toEqual({ outcome: "done", requests, died: false });
  },
);
