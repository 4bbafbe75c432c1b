import { describe, expect, test } from "vitest";
import { z } from "zod";
import { silentLogger } from "../lib/log.ts";
import { dpoTrajBuilder } from "../preferences/dpo-traj-builder.ts";
import { DpoTrajBuilderOptions } from "../preferences/dpo-traj-builder-options.ts";
import { assemblePairsAlone } from "./assemble.ts";
import type { PairConfig } from "./assemble-pairs.ts";
import { createBuiltins } from "./builtin-registry.ts";
import { componentPart } from "./component-part.ts";

const builtins = createBuiltins({ env: {}, log: silentLogger });
const { registry } = builtins;
registry.trajectory_builder("pairs_alone", {
  options: z.strictObject({}),
  build: () => {
    const { step_name, group_by, contradictions } = dpoTrajBuilder(DpoTrajBuilderOptions.parse({}));
    return { step_name, group_by, contradictions, pairsOf: () => [] };
  },
});

const backend = {
  entity_host: "https://e",
  datastore_host: "https://d",
  namespace: "n",
  customization_config: "m@v1",
};

function partsOf(builder: string, training_type: string, override?: "dpo" | "sft") {
  const kind = "trajectory_builder" as const;
  const config: PairConfig = {
    trajectory_builders: { b: componentPart(registry, { kind, type: builder, name: "b" }) },
    trainers: {},
    trainer_adapters: {
      a: componentPart(
        registry,
        { kind: "trainer_adapter", type: "nemo_customizer_trainer_adapter", name: "a" },
        { ...backend, hyperparameters: { training_type } },
      ),
    },
    finetuning: {},
    split: { validation: 0.2, by: "auto" },
  };
  return assemblePairsAlone(config, { builtins, log: silentLogger }, override);
}

test("what the rows are for is the adapter's training_type, unless told", () => {
  expect(partsOf("dpo_traj_builder", "dpo").training_type).toBe("dpo");
  expect(partsOf("dpo_traj_builder", "sft")).toMatchObject({ training_type: "sft", format_name: "nemo-customizer" });
  expect(partsOf("dpo_traj_builder", "sft", "dpo").training_type).toBe("dpo");
});

test("a builder that makes pairs alone is refused for supervised fine-tuning before anything is collected", () => {
  expect(partsOf("pairs_alone", "dpo").builder.bestOf).toBeUndefined();
  for (const override of [undefined, "sft"] as const) {
    expect(() => partsOf("pairs_alone", override === undefined ? "sft" : "dpo", override)).toThrow(
      expect.objectContaining({ code: "sft_rows", where: "trajectory builder pairs_alone", exit_code: 2 }),
    );
  }
});

describe("several trainer adapters, none of which is named", () => {
  const HOSTS = { entity_host: "https://e", datastore_host: "https://d", namespace: "n" };
  const OPTIONS = {
    nemo_rl_trainer_adapter: { model_name: "org/model", nemo_rl_dir: "/opt/nemo-rl" },
    trl_trainer_adapter: { model_name: "org/model" },
    nemo_customizer_trainer_adapter: { ...HOSTS, customization_config: "m@v1" },
  };
  type Adapter = readonly [type: keyof typeof OPTIONS, options?: object];

  function rowsFor(adapters: readonly Adapter[], named?: string) {
    const config: PairConfig = {
      trajectory_builders: {},
      trainers: {},
      trainer_adapters: Object.fromEntries(
        adapters.map(([type, options], place) => {
          const name = `a${place}`;
          const part = { kind: "trainer_adapter" as const, type, name };
          return [name, componentPart(registry, part, { ...OPTIONS[type], ...options })];
        }),
      ),
      finetuning: named === undefined ? {} : { trainer_adapter: named },
      split: { validation: 0.2, by: "auto" },
    };
    const parts = assemblePairsAlone(config, { builtins, log: silentLogger });
    const { format_name, use_full_message_history, training_type, dataset_output_dir } = parts;
    return [format_name, use_full_message_history, training_type, dataset_output_dir];
  }

  const RL = "nemo_rl_trainer_adapter";
  const TRL = "trl_trainer_adapter";
  const NEMO = "nemo_customizer_trainer_adapter";
  const SFT = { hyperparameters: { training_type: "sft" } };

  test("get the rows that they agree on, else rows of our own", () => {
    expect(rowsFor([[TRL], [RL]])).toEqual(["pairwright", true, "dpo", null]);
    expect(rowsFor([[TRL], [NEMO]])).toEqual(["pairwright", true, "dpo", null]);
    expect(rowsFor([[TRL], [TRL, { max_length: 2048 }]])).toEqual(["trl-conversational", true, "dpo", null]);
    expect(rowsFor([[NEMO], [NEMO]])).toEqual(["nemo-customizer", false, "dpo", null]);
    const copied: Adapter = [TRL, { dataset_output_dir: "/d" }];
    expect(rowsFor([copied, copied])).toEqual(["trl-conversational", true, "dpo", "/d"]);
    expect(rowsFor([[TRL], [RL]], "a1")).toEqual(["nemo-rl-binary", true, "dpo", null]);
  });

  test.each<[string, Adapter[]]>([
    ["pairs and completions", [[NEMO], [NEMO, SFT]]],
    ["a folder with rows of its own format", [[TRL], [RL, { dataset_output_dir: "/d" }]]],
  ])("are refused where they want what cannot be both: %s", (_, adapters) => {
    expect(() => rowsFor(adapters)).toThrow(expect.objectContaining({ code: "ambiguous", where: "trainer_adapters" }));
  });
});
