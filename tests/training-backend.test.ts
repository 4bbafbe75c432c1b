import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { trainingPlace } from "../src/engine/__fixtures__/model-folder.ts";
import { systemClock } from "../src/lib/clock.ts";
import { startTestPlatform } from "../src/platform/__fixtures__/test-platform.ts";
import { trainingBackendContract } from "../src/testing/index.ts";
import { nemoCustomizerBackend } from "../src/training/nemo-customizer-backend.ts";
import { NemoCustomizerTrainerAdapterOptions } from "../src/training/nemo-customizer-options.ts";

// NeMo's adapter at the embedded platform, which trains nothing here.
let place: Awaited<ReturnType<typeof trainingPlace>>;
let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let dir = "";
let namespaces = 0;

beforeAll(async () => {
  place = await trainingPlace();
  dir = await mkdtemp(join(tmpdir(), "pairwright-backend-"));
  platform = await startTestPlatform({ models: [`tiny=${place.model}`], max_running_jobs: 0 });
  const row = { prompt: "question", chosen_response: "yes", rejected_response: "no" };
  await writeFile(join(dir, "rows.jsonl"), `${JSON.stringify(row)}\n`);
});
afterAll(async () => {
  await platform.stop();
  await place[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

trainingBackendContract(test, async () => {
  namespaces += 1;
  const options = NemoCustomizerTrainerAdapterOptions.parse({
    ...{ entity_host: platform.origin, datastore_host: platform.origin, namespace: `contract-${namespaces}` },
    ...{ customization_config: "local/tiny@v1.0.0+CPU", hyperparameters: { finetuning_type: "lora" } },
  });
  const file = { path: join(dir, "rows.jsonl"), rows: 1 };
  return {
    backend: nemoCustomizerBackend(options, { env: {}, clock: systemClock }),
    files: { training: file, validation: { ...file, rows: 0 } },
    deployable: "local/tiny",
  };
});
