import type { Component } from "../registry/registry.ts";
import type { TrajectoryBuilder } from "../registry/training.ts";
import { DpoTrajBuilder } from "./dpo-pairs.ts";
import { DpoTrajBuilderOptions } from "./dpo-traj-builder-options.ts";

/** The builder of these options, as the others use it. */
export function dpoTrajBuilder(options: DpoTrajBuilderOptions): TrajectoryBuilder {
  return new DpoTrajBuilder(options);
}

/** `dpo_traj_builder` as it stands in the table of components. */
export const dpoTrajBuilderComponent: Component<"trajectory_builder", typeof DpoTrajBuilderOptions> = {
  description: "preference pairs from the scored candidates of test-time compute",
  options: DpoTrajBuilderOptions,
  build: ({ options }) => dpoTrajBuilder(options),
};
