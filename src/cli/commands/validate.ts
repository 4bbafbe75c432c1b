import { relative } from "node:path";
import { ConfigError, type ConfigProblem, formatProblem } from "../../config/config-error.ts";
import { configJsonSchema } from "../../config/json-schema.ts";
import { EXIT } from "../../lib/errors.ts";
import type { CommandRun } from "../command.ts";
import { type LoadRequest, loadConfigFor, registryWithPlugins } from "../load.ts";

export const run: CommandRun = async ({ args, flags, terminal }) => {
  if (flags.printSchema === true) {
    const schema = configJsonSchema(await registryWithPlugins(flags, terminal));
    process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
    return EXIT.ok;
  }
  try {
    const { config } = await loadConfigFor({ args, flags, terminal, uses: COLLECTING });
    const warnings = await unsetElsewhere({ args, flags, terminal, uses: ALL });
    for (const warning of warnings) terminal.warn(formatProblem(warning));
    terminal.print(`${relative(process.cwd(), config.file)} is fine`);
    terminal.result({ ok: true, problems: [], warnings });
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    terminal.print(error.message);
    terminal.result({ ok: false, problems: error.problems });
    return EXIT.usage;
  }
};

/** What is wrong only when sections are used that collecting does without: variables that training will need. */
async function unsetElsewhere(request: LoadRequest): Promise<readonly ConfigProblem[]> {
  try {
    await loadConfigFor(request);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** The sections that collecting works with. */
export const COLLECTING = [
  "llms",
  "functions",
  "ttc_strategies",
  "workflow",
  "eval",
  "trajectory_builders",
  "split",
] as const;
const ALL = [...COLLECTING, "trainers", "trainer_adapters", "finetuning", "platform", "plugins"] as const;
