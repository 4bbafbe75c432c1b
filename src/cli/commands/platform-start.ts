import { dataDir } from "../../lib/data-dir.ts";
import { codeOf, EXIT } from "../../lib/errors.ts";
import { startPlatform } from "../../platform/start-platform.ts";
import type { CommandRun } from "../command.ts";
import { wholeNumber } from "../flags.ts";
import { onInterrupt } from "../interrupt.ts";

const PORT = 8711;

export const run: CommandRun = async ({ flags, terminal }) => {
  const token = textOf(flags.token) ?? (process.env.PAIRWRIGHT_PLATFORM_TOKEN || undefined);
  if (token !== undefined) terminal.hide([token]);
  using interrupt = onInterrupt(
    () =>
      terminal.info("stopping: running requests end first; running jobs go on at the next start. Again: stop at once"),
    () => process.exit(EXIT.interrupted),
  );
  const startAt = (port: number) =>
    startPlatform({
      dir: textOf(flags.data) ?? dataDir("pairwright", process.env),
      host: textOf(flags.host) ?? "127.0.0.1",
      port,
      token,
      log: terminal,
      models: Array.isArray(flags.models) ? flags.models.map(String) : undefined,
    });
  const given = wholeNumber(flags, "port", 0);
  const platform = await startAt(given ?? PORT).catch((error: unknown) => {
    // Whoever had it started for a command reads from its folder where it is.
    if (given !== undefined || flags.untilUnused !== true || codeOf(error) !== "port_taken") throw error;
    return startAt(0);
  });
  const { origin } = platform;
  const facts = { entity_host: origin, datastore_host: origin, nim_url: `${origin}/nim/v1` };
  terminal.print(describe(facts, platform.configs, token !== undefined));
  terminal.result(facts);
  const stopping = aborted(interrupt.drain);
  await (flags.untilUnused === true ? Promise.race([stopping, platform.unused]) : stopping);
  await platform.stop();
  return EXIT.ok;
};

type Facts = { entity_host: string; datastore_host: string; nim_url: string };

function describe(facts: Facts, configs: readonly string[], guarded: boolean): string {
  const models = configs.map((config) => `  ${config.replace(/@.*/, "")}, trained by the config ${config}`);
  return [
    `the platform listens at ${facts.entity_host}${guarded ? ", and asks for the token" : ""}`,
    `  export CUSTOMIZER_HOST=${facts.entity_host}`,
    `  export DATASTORE_HOST=${facts.datastore_host}`,
    `  export CUSTOMIZER_NIM_URL=${facts.nim_url}`,
    "its models (others with --models DIR):",
    ...models,
    `Ctrl-C stops it, or: kill ${process.pid}`,
  ].join("\n");
}

function textOf(flag: unknown): string | undefined {
  return typeof flag === "string" ? flag : undefined;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
