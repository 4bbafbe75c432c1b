import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { trainingPlace } from "../../src/engine/__fixtures__/model-folder.ts";
import { type ModelServer, startModelServer } from "../../src/testing/model-server.ts";
import { guessReply } from "../support/guesses.ts";
import { jsonOf } from "../support/program.ts";
import { makeProject, runDirs } from "../support/project.ts";
import { size } from "./long.ts";
import { type PlatformProcess, startPlatformProcess } from "./platform-process.ts";

let model: ModelServer;
let place: Awaited<ReturnType<typeof trainingPlace>>;
let dir = "";
beforeAll(async () => {
  model = await startModelServer({ reply: guessReply });
  place = await trainingPlace();
  dir = await mkdtemp(join(tmpdir(), "pairwright-killed-platform-"));
});
afterAll(async () => {
  await model.close();
  await place[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

function project(origin: string) {
  const adapter = {
    ...{ _type: "nemo_customizer_trainer_adapter", entity_host: origin, datastore_host: origin, namespace: "ns" },
    ...{ customization_config: "local/tiny@v1.0.0+CPU", deploy_on_completion: true, poll_interval_seconds: 0.05 },
    hyperparameters: { finetuning_type: "lora", epochs: 20, batch_size: 2 },
  };
  return makeProject({
    url: model.url,
    examples: 5,
    evaluators: {},
    sections: {
      trainers: { trainer: { _type: "nemo_customizer_trainer" } },
      trainer_adapters: { adapter },
      finetuning: { enabled: true, output_dir: "out" },
    },
  });
}

const totalOf = async ({ origin }: PlatformProcess, path: string) => {
  const answer = await fetch(`${origin}${path}`);
  return ((await answer.json()) as { pagination: { total_results: number } }).pagination.total_results;
};

const MIDDLES = [
  ["the job", "job cust-"],
  ["the upload", "the Datastore has the namespace ns now"],
  ["the deployment", "deploying ns/"],
] as const;

test.each(MIDDLES.slice(0, size(1, MIDDLES.length)))(
  "the platform, killed in the middle of %s, is unreachable; started again, --resume finishes with what was there",
  async (name, says) => {
    const data = join(dir, name.replaceAll(" ", "-"));
    const models = ["--models", `tiny=${place.model}`];
    let platform = await startPlatformProcess(data, models);
    await using given = await project(platform.origin);
    const started = given.start("finetune", "config.yml", "--json");
    await started.says(says);
    await platform.kill();
    const lost = await started.ended;
    expect({ code: lost.code, stderr: lost.stderr }).toEqual({ code: 6, stderr: expect.stringContaining("error[") });

    platform = await startPlatformProcess(data, [...models, "--port", new URL(platform.origin).port]);
    try {
      const resumed = await given.run("finetune", "config.yml", "--json", "--resume");

      expect({ code: resumed.code, stderr: resumed.stderr }).toMatchObject({ code: 0 });
      expect(jsonOf(resumed)).toMatchObject({ job: { status: "completed" }, deployment: { status: "ready" } });
      expect(await totalOf(platform, "/v1/customization/jobs")).toBe(1);
      expect(await totalOf(platform, "/v1/deployment/model-deployments")).toBe(1);
      expect(await runDirs(given.out)).toHaveLength(1);
    } finally {
      await platform.stop();
    }
  },
  60_000,
);
