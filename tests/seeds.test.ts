import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startModelServer } from "pairwright/testing";
import { describe, expect, test } from "vitest";
import { standInReply } from "../examples/tic-tac-toe/stand-in.ts";
import { perform } from "./support/perform.ts";

// The documents that the product implements lie beside a checkout, where there is one; they are no part of it.
const SEEDS = resolve("../shared/seeds");
const present = existsSync(SEEDS);

function yamlBlocks(beginning: string): string[] {
  const name = readdirSync(SEEDS).find((file) => file.startsWith(beginning));
  const text = readFileSync(join(SEEDS, name ?? ""), "utf8");
  return [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? "");
}

describe.skipIf(!present)("the seeds' own configurations (skipped where ../shared/seeds is absent)", () => {
  test("the tic-tac-toe page's configuration, as it stands, collects with our plugin for its components", async () => {
    const blocks = yamlBlocks("000").filter((block) =>
      /^(llms|functions|ttc_strategies|workflow|eval|trajectory_builders|trainer_adapters|trainers|finetuning):/.test(
        block,
      ),
    );
    // Its nine sections; two later blocks show single settings again.
    const sections = new Map(blocks.reverse().map((block) => [/^\w+/.exec(block)?.[0], block]));
    expect(sections.size).toBe(9);

    const dir = await mkdtemp(join(tmpdir(), "pairwright-seeds-"));
    const config = join(dir, "config.yml");
    await writeFile(config, [...sections.values()].join("\n"));
    const server = await startModelServer({ reply: standInReply });
    const ended = await perform(
      [
        "collect",
        config,
        "--json",
        "--quiet",
        "--plugin",
        "examples/tic-tac-toe/plugin.ts",
        "--dataset",
        "examples/tic-tac-toe/data/data.json",
        "-o",
        "llms.training_llm.base_url",
        server.url,
        "-o",
        "eval.general.output_dir",
        join(dir, "out"),
        "-o",
        "trainer_adapters.nemo_customizer_trainer_adapter.dataset_output_dir",
        join(dir, "datasets"),
      ],
      { cwd: process.cwd() },
    );
    await server.close();

    expect(ended.stderr).toBe("");
    expect(ended.code).toBe(0);
    const result = JSON.parse(ended.stdout) as { completed: number; pairs: number; training: number; run_dir: string };
    expect(result).toMatchObject({ completed: 48, failed: 0 });
    expect(result.pairs).toBeGreaterThan(50);
    // As the page has it: the prompt is the last message's text, and the files are kept where it says.
    const rows = (await readFile(join(result.run_dir, "dataset/training_file.jsonl"), "utf8")).trim().split("\n");
    expect(rows).toHaveLength(result.training);
    for (const row of rows) {
      expect(JSON.parse(row)).toEqual({
        prompt: expect.any(String),
        chosen_response: expect.any(String),
        rejected_response: expect.any(String),
      });
    }
    const [copied] = readdirSync(join(dir, "datasets"));
    expect(await readFile(join(dir, "datasets", copied ?? "", "training_file.jsonl"), "utf8")).toBe(
      `${rows.join("\n")}\n`,
    );
    await rm(dir, { recursive: true });
  });

  test("the guide's complete configuration validates with a plugin for the components that it leaves to its reader", async () => {
    const complete = yamlBlocks("001").find(
      (block) => block.includes("my_dpo_workflow") && block.includes("finetuning:"),
    );
    expect(complete).toMatch(/^trainer_adapters:$/m);
    const dir = await mkdtemp(join(tmpdir(), "pairwright-seeds-"));
    await writeFile(join(dir, "config.yml"), complete ?? "");
    await writeFile(
      join(dir, "plugin.ts"),
      `import { definePlugin, llmRef, z } from "pairwright";
       export default definePlugin((registry) => {
         registry.workflow("my_dpo_workflow", { options: z.strictObject({ llm: llmRef() }), build: () => async () => "" });
         registry.evaluator("my_game_evaluator", { options: z.strictObject({}), build: () => ({ evaluate: () => ({ score: 1 }) }) });
       });`,
    );
    const ended = await perform(["validate", join(dir, "config.yml"), "--json", "--plugin", join(dir, "plugin.ts")], {
      cwd: process.cwd(),
      env: { NVIDIA_API_KEY: "a-key-of-no-one" },
    });

    expect(JSON.parse(ended.stdout)).toEqual({ ok: true, problems: [], warnings: [] });
    expect(ended.code).toBe(0);
    await rm(dir, { recursive: true });
  });
});
