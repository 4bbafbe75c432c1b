import { expect, test } from "vitest";
import type { Config } from "../../config/config.ts";
import { Finetuning } from "../../config/schema.ts";
import { silentLogger } from "../../lib/log.ts";
import { refuseSettings } from "./refuse-settings.ts";

function refusal(finetuning: Record<string, unknown>): { code: string; where: string; exit_code: number } | undefined {
  const config = {
    file: "config.yml",
    finetuning: { ...Finetuning.parse({ enabled: true, ...finetuning }), output_dir: "out" },
    eval: { evaluators: { game: {} } },
  } as unknown as Config;
  try {
    refuseSettings(config, silentLogger);
    return undefined;
  } catch (error) {
    return error as { code: string; where: string; exit_code: number };
  }
}

test.each([
  [{ enabled: false }, "finetuning_disabled", "config.yml"],
  [{ curriculum_learning: { enabled: true } }, "not_supported", "config.yml: finetuning.curriculum_learning"],
  [{ target_functions: ["some_function"] }, "not_supported", "config.yml: finetuning.target_functions"],
  [{ reward_function: { name: "other" } }, "not_supported", "config.yml: finetuning.reward_function"],
])("%o is refused by name", (finetuning, code, where) => {
  expect(refusal(finetuning)).toMatchObject({ code, where, exit_code: 2 });
});

test("a curriculum is taken where there are rounds to widen it in", () => {
  expect(refusal({ curriculum_learning: { enabled: true }, rounds: { count: 2 } })).toBeUndefined();
});

test("what the seeds' configuration has is taken, num_epochs included", () => {
  expect(
    refusal({ reward_function: { name: "game" }, num_epochs: 3, target_functions: ["<workflow>"] }),
  ).toBeUndefined();
});
