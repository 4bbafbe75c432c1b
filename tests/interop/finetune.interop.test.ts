import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { startModelServer } from "../../src/testing/model-server.ts";
import { guessReply } from "../support/guesses.ts";
import { jsonOf } from "../support/program.ts";
import { makeProject, runDirs } from "../support/project.ts";
import type { RunningPlatform } from "./platform/platform-process.ts";
import { describeSuites } from "./platform/suite.ts";
import { pythonEnv } from "./python-env.ts";

const NAMES = { namespace: "seen-ns", dataset_name: "seen-pairs" };

/** `pairwright finetune` against this platform; what it said that it made. */
async function finetuned({ url }: RunningPlatform) {
  const model = await startModelServer({ reply: guessReply });
  try {
    await using project = await makeProject({
      url: model.url,
      examples: 6,
      evaluators: {},
      sections: {
        trainers: { trainer: { _type: "nemo_customizer_trainer" } },
        trainer_adapters: {
          adapter: {
            ...{ _type: "nemo_customizer_trainer_adapter", entity_host: url, datastore_host: url, ...NAMES },
            ...{ customization_config: "local/tic-tac-toe@v1.0.0+CPU", use_full_message_history: true },
            hyperparameters: { finetuning_type: "lora", epochs: 2, batch_size: 16 },
            ...{ deploy_on_completion: true, poll_interval_seconds: 0.2 },
          },
        },
        finetuning: { enabled: true, output_dir: "out" },
      },
    });
    const ended = await project.run("finetune", "config.yml", "--json");
    if (ended.code !== 0) throw new Error(ended.stderr);
    const made = jsonOf<{ job: { id: string }; model: string; deployment: { name: string } }>(ended);
    const [run_dir = ""] = await runDirs(project.out);
    const rows = (kind: string) => readFile(join(run_dir, "dataset", `${kind}_file.jsonl`), "utf8");
    const names = { job_id: made.job.id, model: made.model, deployment: made.deployment.name };
    const files = { training: await rows("training"), validation: await rows("validation") };
    return { made: { ...NAMES, ...names, ...files, base_model: "local/tic-tac-toe" } };
  } finally {
    await model.close();
  }
}

describeSuites("what finetune made, as the Python clients see it", await pythonEnv("requirements-toolkit.txt"), [
  {
    script: "finetune_seen.py",
    job: finetuned,
    versions: { "nemo-microservices": /^1\.5\./, huggingface_hub: /^\d/ },
    sections: { jobs: 8, "data sets": 6, "models and deployments": 5 },
  },
]);
