import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ModelServer, startModelServer } from "../src/testing/model-server.ts";
import { WELL } from "../src/training/__fixtures__/nemo-rules.ts";
import { type Received, startStub } from "../src/training/__fixtures__/stub-services.ts";
import { guessReply } from "./support/guesses.ts";
import { jsonOf } from "./support/program.ts";
import { makeProject } from "./support/project.ts";

/** What the trained model guesses, whatever it is asked. */
let trained = 0;
let model: ModelServer;
/** Called before the first reply of a finetune. */
let onFirst: (() => void) | undefined;
beforeAll(async () => {
  model = await startModelServer({
    reply(request) {
      onFirst?.();
      onFirst = undefined;
      return request.model === "test-model" ? guessReply(request) : `${trained} is what I guess`;
    },
  });
});
afterAll(() => model.close());

interface Measured {
  run_dir: string;
}

async function seedOf(dir: string, measured: Measured | undefined): Promise<number | undefined> {
  if (measured === undefined) return undefined;
  return JSON.parse(await readFile(join(dir, measured.run_dir, "manifest.json"), "utf8")).seed;
}

/** What came of a finetune, or of the command that went on with it; the names of the deployments that were made and of those deleted, in order. */
async function finetuned(gate: Record<string, unknown>, flags: readonly string[] = [], then?: readonly string[]) {
  const made: string[] = [];
  const gone: string[] = [];
  const name = ({ path }: Received) => path.split("?")[0]?.split("/").at(-1) ?? "";
  const fails = then !== undefined && !flags.includes("--no-wait");
  const stub = await startStub({
    ...WELL,
    // Where it is to go on, it fails first, if it is waited for.
    "GET /v1/customization/jobs/*/status": (_, times) => ({
      status: 200,
      body: { status: fails && times === 1 ? "failed" : "completed", percentage_done: 100 },
    }),
    "POST /v1/deployment/model-deployments": ({ text }) => {
      made.push(JSON.parse(text).name);
      return { status: 200, body: {} };
    },
    "DELETE /v1/deployment/model-deployments/*/*": (request) => {
      gone.push(name(request));
      return { status: 200, body: {} };
    },
    "GET /v1/deployment/model-deployments/*/*": (request) =>
      made.includes(name(request))
        ? { status: 200, body: { name: name(request), status_details: { status: "ready" } } }
        : { status: 404 },
  });
  await using project = await makeProject({
    ...{ url: model.url, examples: 16, env: { CUSTOMIZER_NIM_URL: model.url } },
    sections: {
      trainers: { trainer: { _type: "nemo_customizer_trainer" } },
      trainer_adapters: {
        adapter: {
          ...{ _type: "nemo_customizer_trainer_adapter", entity_host: stub.origin, datastore_host: stub.origin },
          ...{ namespace: "ns", customization_config: "m@v1", poll_interval_seconds: 0.02 },
          ...{ deploy_on_completion: true, deployment_config: { deployment_name: "mine" } },
        },
      },
      finetuning: { enabled: true, output_dir: "out", held_out: 0.5, ...gate },
    },
  });
  let first_plan: unknown;
  onFirst = () => {
    const manifest = readFileSync(join(project.out, "latest", "manifest.json"), "utf8");
    first_plan = JSON.parse(manifest).plan;
  };
  try {
    const run = (more: readonly string[]) => project.run("finetune", "config.yml", "--json", ...more);
    const first = await run(flags);
    const ended = then === undefined ? first : await run(then);
    const result = jsonOf<{ promoted: unknown; deployment: { name: string }; before?: Measured; after?: Measured }>(
      ended,
    );
    const seeds = await Promise.all([result.before, result.after].map((one) => seedOf(project.dir, one)));
    const calls = stub.calls();
    return { made, gone, first: first.code, code: ended.code, stderr: ended.stderr, result, seeds, first_plan, calls };
  } finally {
    await stub.stop();
  }
}

test("with a gate, what is deployed under the configured name stays until a model is better", async () => {
  trained = 1;
  const worse = await finetuned({ gate: { metric: "quality" } }, ["--gate"]);
  // Settled before the first call to the model.
  expect(worse.first_plan).toMatchObject({
    ...{ metric: "quality", gate: "exit", criteria: { min_gain: 0, confidence: 0.95, min_n: 1 } },
    held_out: { examples: 6, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  expect(worse).toMatchObject({ code: 100, result: { promoted: false } });
  expect(worse.made).toEqual([expect.stringContaining("nat-dpo-")]);
  expect(worse.gone).toEqual(worse.made);

  trained = 999;
  const better = await finetuned({ gate: { metric: "quality" } }, ["--gate"]);
  expect(better).toMatchObject({ code: 0, result: { promoted: true, deployment: { name: "ns/mine" } } });
  expect(better.made).toEqual([expect.stringContaining("nat-dpo-"), "mine"]);
  expect(better.gone).toEqual([better.made[0]]);
});

test("without a gate a model is deployed under the configured name before it is measured", async () => {
  trained = 1;
  const judged = { before: { best_of_n: { quality: {} } }, after: { best_of_n: { quality: {} } } };
  expect(await finetuned({})).toMatchObject({
    ...{ code: 0, made: ["mine"], gone: [], result: { promoted: false, ...judged } },
  });
});

test("best_of_n: false leaves the workflow's own choice out; with nothing held out, that is said", async () => {
  trained = 999;
  const alone = { best_of_n: null, scores: { quality: {} }, examples: 16, held_out: false };
  expect(await finetuned({ best_of_n: false, held_out: 0 })).toMatchObject({
    ...{ code: 0, result: { promoted: true, before: alone, after: alone } },
    stderr: expect.stringContaining("measured on 16 examples that it was trained on"),
  });
});

test("what was measured with another seed before the command was broken off is measured anew", async () => {
  trained = 999;
  expect(await finetuned({}, [], ["--resume", "--seed", "7"])).toMatchObject({ code: 0, seeds: [7, 7] });
});

test("without waiting there is no verdict to fail a gate; who goes on gets it", async () => {
  trained = 1;
  const ended = await finetuned({ gate: { metric: "quality" } }, ["--gate", "--no-wait"], ["--resume"]);
  expect(ended).toMatchObject({ first: 0, code: 100, result: { promoted: false } });
});

test.each([
  [{ rounds: { count: 2, goal: { metric: "quality.tone", at_least: 1 } } }, "finetuning.rounds.goal.metric", "tone"],
  [{ rounds: { count: 2, guard: { metric: "nobody", at_least: 1 } } }, "finetuning.rounds.guard.metric", "nobody"],
])("a figure that no evaluator gives is told before anything is trained: %o", async (finetuning, where, says) => {
  const { made, code, result } = await finetuned(finetuning);
  expect({ made, code }).toEqual({ made: [], code: 2 });
  expect(result).toMatchObject({ error: { code: "no_metric", where, what: expect.stringContaining(says) } });
});

test("in rounds the backend is looked at once, before the first of them", async () => {
  trained = 1;
  const { code, result, calls } = await finetuned({ rounds: { count: 2, start_from: "base" } });
  expect(code).toBe(0);
  expect(result).toMatchObject({ rounds: { rounds: [{ round: 1 }, { round: 2 }] } });
  expect(calls.filter((call) => call === "POST /v1/customization/jobs")).toHaveLength(2);
  expect(calls.filter((call) => call === "GET /v1/customization/configs")).toHaveLength(1);
});
