import { expect, test } from "vitest";
import { z } from "zod";
import { silentLogger } from "../lib/log.ts";
import { DpoTrajBuilderOptions, dpoTrajBuilder } from "../preferences/dpo-traj-builder.ts";
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
