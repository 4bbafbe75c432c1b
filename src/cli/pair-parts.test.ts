import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pairPartsFor } from "./pair-parts.ts";
import { createTerminal } from "./terminal.ts";

const terminal = createTerminal({ json: false, quiet: true, verbose: false, color: false });

async function partsOf(config: string | undefined, name: string, flags: Record<string, unknown> = {}) {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-parts-"));
  await writeFile(join(dir, "runs.jsonl"), "");
  if (config !== undefined) await writeFile(join(dir, "config_effective.yml"), config);
  const warnings: string[] = [];
  const parts = await pairPartsFor({ args: [join(dir, name)], flags, terminal }, (warning) => warnings.push(warning));
  return { parts, warnings };
}

const CONFIG = "trajectory_builders: {b: {_type: dpo_traj_builder, ttc_step_name: mine}}";

test.each(["", "runs.jsonl"])(
  "pairs are made as the run had it, which is named by its folder or its file: %j",
  async (name) => {
    const { parts, warnings } = await partsOf(CONFIG, name);
    expect(parts.builder.step_name).toBe("mine");
    expect(warnings).toEqual([]);
  },
);

test("a run without a configuration is told to be made into pairs by the usual settings", async () => {
  const { parts, warnings } = await partsOf(undefined, "runs.jsonl");
  expect(parts.builder.step_name).toBe("dpo_candidate_move");
  expect(warnings).toEqual([expect.stringMatching(/config_effective\.yml is not there.*usual settings/)]);
});

test("-o without a configuration to change is refused", async () => {
  await expect(partsOf(CONFIG, "", { override: ["split.validation 0.5"] })).rejects.toMatchObject({
    code: "usage",
    where: "--override",
    exit_code: 2,
  });
});

test("--training-type says what the rows are for, whatever the run had", async () => {
  expect((await partsOf(CONFIG, "")).parts.training_type).toBe("dpo");
  expect((await partsOf(CONFIG, "", { trainingType: "sft" })).parts.training_type).toBe("sft");
  await expect(partsOf(CONFIG, "", { trainingType: "ppo" })).rejects.toMatchObject({ exit_code: 2 });
});
