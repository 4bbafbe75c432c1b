import type { Command } from "commander";
import type { Add } from "./add-command.ts";

/** `launch` with its flags. */
export function addLaunchCommand(add: Add, withConfig: (command: Command) => Command): void {
  withConfig(
    add(
      "launch [config]",
      "hand a data set to a trainer of many machines, or collect on many; submits, or says what to type",
      () => import("./commands/launch.ts"),
    ),
  )
    .requiredOption("--on <what>", "nemo-rl or trl: train on pairs; collect: collect them in shards")
    .option(
      "--submit <how>",
      "slurm, kubernetes, local (here, to its end), or for a training ray; without it the files are written",
    )
    .option("--dry-run", "write the files, and say what --submit would do")
    .option("--nodes <n>", "machines that train", "1")
    .option("--gpus <n>", "of each; 0 trains on the CPU, where the trainer can", "1")
    .option("--shards <n>", "collect: parts of the data set, each a task or process of its own")
    .option(
      "--dataset <path>",
      "the pairs: a run's folder or a file (default: the newest); collect: the examples' file",
    )
    .option("--validation-dataset <file>", "pairs to validate on, where --dataset is one file")
    .option("--reps <n>", "collect: how often each example is run", "1")
    .option("--seed <n>", "collect: decides every random choice", "0")
    .option("--resume [launch]", "collect: go on with the newest unfinished launch, or with this one")
    .option(
      "--watch [launch]",
      "start nothing: how the newest launch, or this one, stands, by its files and its scheduler",
    )
    .option("--container <image>", "collect on Kubernetes: an image that has pairwright")
    .option(
      "--claim <name>",
      "collect on Kubernetes: the volume claim that this folder is; NAME:/FOLDER for another one",
    );
}
