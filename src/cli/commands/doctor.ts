import { relative } from "node:path";
import type { Config } from "../../config/config.ts";
import { ConfigError, formatProblem } from "../../config/config-error.ts";
import { onnxRuntime } from "../../engine/runtime/onnxruntime.ts";
import { dataDir } from "../../lib/data-dir.ts";
import { EXIT } from "../../lib/errors.ts";
import type { Builtins } from "../../pipeline/builtin-registry.ts";
import { type Check, failed, type Made, ok, warning } from "../../pipeline/doctor/check.ts";
import { examine } from "../../pipeline/doctor/doctor.ts";
import type { EmbeddedPlatform, ModelFolder } from "../../pipeline/doctor/platform-models.ts";
import { findEmbeddedPlatform } from "../../pipeline/embedded-platform.ts";
import { readBaseModels } from "../../platform/base-models.ts";
import type { CommandInput, CommandRun } from "../command.ts";
import { onInterrupt } from "../interrupt.ts";
import { environment, type LoadRequest, loadConfigFor } from "../load.ts";
import { measuringOf } from "../measuring-of.ts";
import type { Terminal } from "../terminal.ts";
import { FINETUNE_USES } from "./finetune.ts";
import { COLLECTING } from "./validate.ts";

export const run: CommandRun = async (input) => {
  const { terminal } = input;
  const read = await readConfig(input);
  if (!("config" in read)) return report([read.made], terminal);
  const { config, builtins, platform, made: first, why_no_training } = read;
  using interrupt = onInterrupt(() => terminal.warn("stopping"));
  try {
    const made = await examine(config, {
      ...{ builtins, log: terminal, env: await environment(), platform, why_no_training },
      measuring() {
        let why = "there is no gate, and no evaluator to judge a model by";
        const warn = (line: string) => {
          why = line;
        };
        return measuringOf({ config, builtins, terminal: { ...terminal, warn }, flags: input.flags }) ?? why;
      },
      signal: interrupt.drain,
    });
    return report([first, ...made], terminal);
  } catch (error) {
    if (!interrupt.drain.aborted) throw error;
    return EXIT.interrupted;
  }
};

type Read =
  | { made: Made }
  | {
      made: Made;
      config: Config;
      builtins: Builtins;
      platform: EmbeddedPlatform | undefined;
      why_no_training: string | undefined;
    };

/** What `validate` does. The platform that the file asks for is looked for, and not started. */
async function readConfig({ args, flags, terminal }: CommandInput): Promise<Read> {
  const dir = dataDir("pairwright", await environment());
  let platform: EmbeddedPlatform | undefined;
  const request: Omit<LoadRequest, "uses"> = {
    ...{ args, flags, terminal },
    async findPlatform({ models }) {
      const origin = await findEmbeddedPlatform(dir);
      platform = { origin, dir, models, readModels, loadEngine: onnxRuntime };
      return origin;
    },
  };
  const made = (check: Pick<Check, "status" | "detail">) => ({
    check: { name: "configuration", ...check },
    unreachable: false,
  });
  try {
    const { config, builtins } = await loadConfigFor({ ...request, uses: FINETUNE_USES });
    const fine = ok(`${relative(process.cwd(), config.file)} is fine`);
    return { made: made(fine), config, builtins, platform, why_no_training: undefined };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const detail = error.problems.map(formatProblem).join("; ");
    try {
      const { config, builtins } = await loadConfigFor({ ...request, uses: COLLECTING });
      const is_fault = config.finetuning.enabled;
      const why_no_training = "what its sections lack is told under configuration";
      return { made: made(is_fault ? failed(detail) : warning(detail)), config, builtins, platform, why_no_training };
    } catch (second) {
      if (!(second instanceof ConfigError)) throw second;
      return { made: made(failed(detail)) };
    }
  }
}

async function readModels(entry?: string): Promise<ModelFolder[]> {
  const models = await readBaseModels(entry === undefined ? undefined : [entry]);
  return models.map(({ namespace, base, version, machine, dir, num_parameters, context_size }) => ({
    name: `${namespace}/${base}@${version}+${machine}`,
    ...{ dir, num_parameters, context_size },
  }));
}

const MARKS = { ok: "ok", warning: "warning", failed: "FAILED", unknown: "unknown", skipped: "skipped" } as const;

function report(all: readonly Made[], terminal: Terminal): number {
  const checks = all.map(({ check }) => check);
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, status, detail } of checks) {
    terminal.print(`${MARKS[status].padEnd(7)}  ${name.padEnd(width)}  ${detail}`);
  }
  terminal.result({ checks });
  const faults = all.filter(({ check }) => check.status === "failed");
  if (faults.length === 0) return EXIT.ok;
  return faults.every(({ unreachable }) => unreachable) ? EXIT.unreachable : EXIT.usage;
}
