import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../config/load.ts";
import { silentLogger } from "../../lib/log.ts";
import { createBuiltins } from "../builtin-registry.ts";
import { examine } from "./doctor.ts";

test("an adapter for launch is a fault only where a finetune is asked for", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-doctor-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const trainingOf = async (enabled: boolean) => {
    const builtins = createBuiltins({ env: {}, log: silentLogger });
    const adapter = "trl: {_type: trl_trainer_adapter, model_name: Qwen/Qwen2.5-0.5B}";
    const sections = `trainer_adapters: {${adapter}}\nfinetuning: {enabled: ${enabled}}\n`;
    await writeFile(join(dir, "config.yml"), sections);
    const uses = ["trainer_adapters", "finetuning"] as const;
    const config = await loadConfig("config.yml", { registry: builtins.registry, env: {}, uses, cwd: dir });
    const made = await examine(config, {
      ...{ builtins, log: silentLogger, env: {}, platform: undefined, why_no_training: undefined },
      ...{ measuring: () => "nothing is measured", signal: new AbortController().signal },
    });
    return made.find(({ check }) => check.name === "training")?.check;
  };

  expect(await trainingOf(false)).toMatchObject({
    status: "skipped",
    detail: expect.stringContaining("pairwright launch"),
  });
  expect(await trainingOf(true)).toMatchObject({ status: "failed" });
});
