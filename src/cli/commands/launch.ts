import { usageError } from "../../lib/errors.ts";
import type { CommandInput, CommandRun } from "../command.ts";
import { oneOf } from "../flags.ts";
import { runLaunchCollect } from "../launch-collect.ts";
import { runLaunchTraining } from "../launch-training.ts";
import { runLaunchWatch } from "../launch-watch.ts";

/** What each target has no use for: silence would let a user believe that it was heard. */
const FOREIGN = {
  collect: ["nodes", "gpus", "validationDataset"],
  training: ["shards", "reps", "seed", "resume", "container", "claim"],
} as const;

export const run: CommandRun = async (given) => {
  const input = { ...given, flags: settled(given) };
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
  if (flags.watch !== undefined) return await runLaunchWatch(input, on);
  return on === "collect" ? await runLaunchCollect(input, submitter) : await runLaunchTraining(input, on, submitter);
};

/** `--resume config.yml` means the newest launch: an optional value must not swallow the configuration. */
function settled({ args, flags }: CommandInput): CommandInput["flags"] {
  if (args.length > 0 || flags.configFile !== undefined) return flags;
  const name = ["resume", "watch"].find((flag) => typeof flags[flag] === "string");
  return name === undefined ? flags : { ...flags, [name]: true, configFile: flags[name] };
}
