import { Command, CommanderError, Option } from "commander";
import { EXIT, PairwrightError } from "../lib/errors.ts";
import { type Add, collectValue, type Load } from "./add-command.ts";
import { packageVersion } from "./command.ts";
import { addLaunchCommand } from "./launch-command.ts";
import { addPairsCommands, addRolloutsCommand } from "./pairs-commands.ts";
import { endWhenStuck, type Waiting } from "./stuck.ts";
import { createTerminal } from "./terminal.ts";
import { TRAINING_FLAGS } from "./training-flags.ts";

/** All commands with their flags. `setExit` gets the exit code of the one that ran. */
export function buildProgram(setExit: (code: number) => void): Command {
  const program = new Command("pairwright")
    .description("Turns what an agent already does into preference data, and preference data into a better model.")
    .version(packageVersion())
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "error[usage]: ")) })
    .showHelpAfterError("  fix: add --help for what there is");

  const add = (spec: string, description: string, load: Load, parent: Command = program) =>
    parent
      .command(spec)
      .description(description)
      .option("--json", "one JSON object on stdout, everything else on stderr")
      .option("--quiet", "warnings and errors only")
      .option("--verbose", "say more; a stack with errors")
      .option("--no-color", "no colours")
      .option("--plugin <file>", "load this plugin, too (repeatable)", collectValue, [])
      .action(async (...given: unknown[]) => {
        const command = given.at(-1) as Command;
        setExit(await perform(load, command));
      });

  const withConfig = (command: Command) =>
    command
      .option("--config-file <file>", "the configuration, instead of the first argument")
      .option("-o, --override <path value>", "change a value of the configuration (repeatable)", collectValue, []);

  addRunCommands(add, withConfig);
  addPairsCommands(program, add);
  addRolloutsCommand(add);
  addTrainCommand(add);
  addModelCommands(program, add);
  addGenerateCommand(add);
  addJobsCommands(program, add, withConfig);
  addPlatformCommands(program, add);
  addLaunchCommand(add, withConfig);
  withConfig(
    add("validate [config]", "check a configuration; calls no model", () => import("./commands/validate.ts")),
  ).option("--print-schema", "print the JSON Schema of the configuration, for editors");
  withConfig(
    add(
      "doctor [config]",
      "look at all that a finetune needs; spends and changes nothing",
      () => import("./commands/doctor.ts"),
    ),
  ).option("--platform <kind>", "embedded: the platform of this machine, which is not started");
  const info = program.command("info").description("what there is");
  add("components", "the components, with options and defaults", () => import("./commands/info.ts"), info)
    .option("-t, --type <kind>", "of this kind only")
    .option("-q, --query <text>", "with this in name or description");
  return silence(program, setExit);
}

function addRunCommands(add: Add, withConfig: (command: Command) => Command): void {
  const onPlatform = (command: Command) =>
    command.option("--platform <kind>", "embedded: the platform of this machine, found or started");
  const collecting = (command: Command) =>
    onPlatform(withConfig(command))
      .option("--dataset <file>", "examples from this file instead of the configuration's")
      .option("--reps <n>", "how often each example is run", "1")
      .option("--seed <n>", "decides every random choice", "0")
      .option("--resume [run]", "go on with the newest unfinished run of the output folder, or with this one")
      .option("--shard <i/n>", "every n-th example only, from the i-th")
      .option("--policy-only", "one candidate and no scorer: what the model does by itself")
      .option("--max-cost <usd>", "stop when this much was spent; resumable")
      .option("--max-failures <n>", "stop when more examples than this failed; fewer are no error")
      .option("--no-cache", "do not read or write the response cache")
      .option("--dry-run", "count and estimate; call no model")
      .option("--skip-workflow", "score the answers that the data set holds; run nothing")
      .option("--skip-completed-entries", "run only the entries that hold no answer yet")
      .option("--result-json-path <path>", "the part of a workflow's result to evaluate", "$")
      .option("--endpoint <url>", "run the workflow that is served there")
      .addOption(new Option("--endpoint-timeout <seconds>", "for one example at the endpoint").default("300"));

  onPlatform(withConfig(add("run [config]", "one input through the workflow", () => import("./commands/run.ts"))))
    .option("--input <text...>", "what to give the workflow (repeatable)")
    .option("--seed <n>", "decides every random choice", "0")
    .option("--no-cache", "do not read or write the response cache");
  collecting(
    add("eval [config]", "the workflow over the data set, then the evaluators", () => import("./commands/eval.ts")),
  );
  collecting(
    add("collect [config]", "eval, then pairs, split and data-set files", () => import("./commands/collect.ts")),
  );
  collecting(
    add(
      "finetune [config]",
      "collect, train on the pairs, deploy the model, and measure it before and after",
      () => import("./commands/finetune.ts"),
    ),
  )
    .option("--validation-dataset <file>", "hold no examples out for measuring: these are there for it")
    .option("--no-wait", "submit the training job, and let `jobs wait` wait for it")
    .option(
      "--rounds <n>",
      "collect, train and measure so often, each time with the newest model (default: finetuning.rounds.count, else 1)",
    )
    .option(
      "--gate",
      "end with 100 unless the trained model is better, also where examples failed (else 3), see finetuning.gate",
    );
}

function addTrainCommand(add: Add): void {
  const train = add("train", "train a model on a data set, on this machine", () => import("./commands/train.ts"))
    .option("--model <dir>", "a Hugging Face folder: what training starts from")
    .option("--dataset <path>", "a data-set folder, or one file of rows")
    .option("--output <dir>", "the folder that the trained model is written to")
    .option("--overwrite", "replace an output folder that is there")
    .option("--resume", "go on from the newest checkpoint of this output")
    .option("--reference-model <dir>", "compare with this model instead of the one that training starts from")
    .option("--optimizer-from <dir>", "go on with the optimiser that an earlier job left in its output")
    .option("--save-optimizer", "leave the optimiser in the output, for a later job")
    .option("--dtype <type>", "f32, bf16 or f16: how the trained weights are written (default f32)")
    .option("--threads <n>", "all cores unless told, 8 at most");
  for (const [name, description] of TRAINING_FLAGS) {
    train.option(`--${name.replaceAll("_", "-")} <value>`, description);
  }
}

function addModelCommands(program: Command, add: Add): void {
  const model = program.command("model").description("models on this machine: import");
  add(
    "import <source> <dir>",
    "a Hugging Face folder or a .gguf file as a model to train and run; checks every tensor",
    () => import("./commands/model-import.ts"),
    model,
  )
    .option("--dtype <dtype>", "f32, bf16 or f16; as stored unless told, and f32 for quantised weights")
    .option("--overwrite", "replace what is in the folder");
}

function addGenerateCommand(add: Add): void {
  add("generate", "text from a model on this machine", () => import("./commands/generate.ts"))
    .option("--model <dir>", "the folder of a model")
    .option("--adapter <dir>", "a LoRA adapter to add to it")
    .option("--prompt <text...>", "what to reply to (repeatable)")
    .option("--raw", "go on from the prompt's text; without it, it is one user's message in the model's chat template")
    .option("--n <n>", "replies to each prompt", "1")
    .option("--max-tokens <n>", "of a reply", "256")
    .option("--temperature <t>", "0 takes the likeliest token always", "1")
    .option("--top-p <p>", "only the likeliest tokens that together have this share", "1")
    .option("--top-k <k>", "only the k likeliest tokens; 0 for all", "0")
    .option("--stop <text...>", "end before this text (repeatable)")
    .option("--seed <n>", "decides every random choice", "0")
    .option("--weights <format>", "f32, int8 or int4: smaller is faster, and rounded", "f32")
    .option("--threads <n>", "one a processor unless told");
}

function addJobsCommands(program: Command, add: Add, withConfig: (command: Command) => Command): void {
  const jobs = program.command("jobs").description("training jobs, of this machine and of others");
  withConfig(add("list", "the jobs of the configuration's namespace", () => import("./commands/jobs-list.ts"), jobs));
  withConfig(
    add("show <id>", "how a job stands; by its id or its run's", () => import("./commands/jobs-show.ts"), jobs),
  );
  withConfig(
    add(
      "wait <id>",
      "wait for a job, and deploy its model where the configuration says so",
      () => import("./commands/jobs-wait.ts"),
      jobs,
    ),
  );
  withConfig(add("cancel <id>", "ask for a job's end", () => import("./commands/jobs-cancel.ts"), jobs));
  withConfig(add("logs <id>", "what a job's processes said", () => import("./commands/jobs-logs.ts"), jobs));
}

function addPlatformCommands(program: Command, add: Add): void {
  const platform = program.command("platform").description("the embedded platform: start");
  add(
    "start",
    "a NeMo-compatible server on this machine that trains and serves small models",
    () => import("./commands/platform-start.ts"),
    platform,
  )
    .option("--port <n>", "0 for any free one", "8711")
    .option("--host <address>", "where to listen; any but the loopback address needs --token", "127.0.0.1")
    .option("--data <dir>", "the data folder (default: pairwright in $XDG_DATA_HOME, else in ~/.local/share)")
    .option(
      "--models <dir...>",
      "model folders to train from and serve, DIR or NAME=DIR (repeatable; default: the base models of the examples)",
    )
    .option("--until-unused", "stop when the last command that uses this platform has ended")
    .option("--token <token>", "what clients have to send; also in PAIRWRIGHT_PLATFORM_TOKEN");
}

/** The flags that were typed: defaults are for the help text, each command knows its own. */
function givenFlags(command: Command): Record<string, unknown> {
  const all = Object.entries(command.opts<Record<string, unknown>>());
  return Object.fromEntries(all.filter(([name]) => command.getOptionValueSource(name) !== "default"));
}

async function perform(load: Load, command: Command): Promise<number> {
  const flags = givenFlags(command);
  const level = process.env.NAT_LOG_LEVEL?.toUpperCase();
  const terminal = createTerminal({
    json: flags.json === true,
    quiet: flags.quiet === true,
    verbose: flags.verbose === true || level === "DEBUG",
    color: flags.color !== false && process.stderr.isTTY === true && process.env.NO_COLOR === undefined,
  });
  const waiting: Waiting = {};
  using _watch = endWhenStuck(terminal, waiting);
  try {
    const { run } = await load();
    return await run({
      args: command.processedArgs.flat().filter((arg): arg is string => typeof arg === "string"),
      flags,
      terminal,
      waiting,
    });
  } catch (error) {
    terminal.error(error);
    return PairwrightError.is(error) ? error.exit_code : EXIT.internal;
  }
}

/** Commander's own endings: help and version are fine, anything else is a usage error, told in JSON where asked. */
function silence(program: Command, setExit: (code: number) => void): Command {
  const parse = program.parseAsync.bind(program);
  program.parseAsync = async (argv, options) => {
    if (argv?.length === 0) {
      program.outputHelp();
      return program;
    }
    try {
      return await parse(argv, options);
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      setExit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
      if (error.exitCode !== 0 && asksForJson(argv ?? []))
        process.stdout.write(`${JSON.stringify(usageFacts(error))}\n`);
      return program;
    }
  };
  return program;
}

/** The flag itself may stand behind the fault, where it was not read any more. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end === -1 ? undefined : end).includes("--json");
}

function usageFacts({ code, message }: CommanderError) {
  // A group such as `pairs` without its command prints its help, and has no message.
  const what = code === "commander.help" ? "a command is missing" : message.replace(/^error: /, "");
  return { error: { code: "usage", what, fix: "add --help for what there is" } };
}
