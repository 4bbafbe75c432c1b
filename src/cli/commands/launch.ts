import { usageError } from "../../lib/errors.ts";
import type { CommandRun } from "../command.ts";
import { oneOf } from "../flags.ts";
import { runLaunchCollect } from "../launch-collect.ts";
import { runLaunchTraining } from "../launch-training.ts";

/** What each target has no use for: silence would let a user believe that it was heard. */
const FOREIGN = {
  collect: ["nodes", "gpus", "validationDataset"],
  training: ["shards", "reps", "seed", "resume", "container", "claim"],
} as const;

export const run: CommandRun = async (input) => {
  const { flags } = input;
  const on = oneOf(flags, "on", ["nemo-rl", "trl", "collect"]) ?? "collect";
  const submitter = oneOf(flags, "submit", ["slurm", "ray", "kubernetes", "local"]);
  const foreign = FOREIGN[on === "collect" ? "collect" : "training"].find((name) => flags[name] !== undefined);
  if (foreign !== undefined) {
    throw usageError({
      code: "usage",
      where: `--${foreign.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      what: `it has no meaning with --on ${on}`,
      fix: "leave it out; see `pairwright launch --help`",
    });
  }
  return on === "collect" ? await runLaunchCollect(input, submitter) : await runLaunchTraining(input, on, submitter);
};
