import { ConfigError } from "../../config/config-error.ts";
import { configJsonSchema } from "../../config/json-schema.ts";
import { EXIT } from "../../lib/errors.ts";
import type { CommandRun } from "../command.ts";
import { loadConfigFor, registryWithPlugins } from "../load.ts";

export const run: CommandRun = async ({ args, flags, terminal }) => {
  if (flags.printSchema === true) {
    const schema = configJsonSchema(await registryWithPlugins(flags, terminal));
    process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
    return EXIT.ok;
  }
  try {
    const { config } = await loadConfigFor({ args, flags, terminal, uses: ALL });
    terminal.print(`${config.file} is fine`);
    terminal.result({ ok: true, problems: [] });
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    terminal.print(error.message);
    terminal.result({ ok: false, problems: error.problems });
    return EXIT.usage;
  }
};

const ALL = [
  "llms",
  "functions",
  "ttc_strategies",
  "workflow",
  "eval",
  "trajectory_builders",
  "trainers",
  "trainer_adapters",
  "finetuning",
  "platform",
  "split",
  "plugins",
] as const;
