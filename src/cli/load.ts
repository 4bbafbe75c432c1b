import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { loadPluginsOnly } from "../config/load-plugins-only.ts";
import { type OpenPlatform, type PlatformAddress, USUAL_ADDRESS } from "../config/platform-address.ts";
import type { Section } from "../config/schema.ts";
import { dataDir } from "../lib/data-dir.ts";
import { usageError } from "../lib/errors.ts";
import { type Builtins, createBuiltins } from "../pipeline/builtin-registry.ts";
import type { Registry } from "../registry/registry.ts";
import { splitOverride } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

type Flags = Record<string, unknown>;

/** The environment, with what a `.env` file of the working folder adds where the environment says nothing. */
export async function environment(): Promise<Record<string, string | undefined>> {
  const text = await readFile(".env", "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return { ...parseEnv(text), ...process.env };
}

/** What a plugin gets when it imports this package: the instance that is running, never a second copy. */
export async function publicModules(): Promise<Record<string, unknown>> {
  return { pairwright: await import("../index.ts"), "pairwright/testing": await import("../testing/index.ts") };
}

/** The configuration file that was named, as the first argument or by its flag. */
export function configFileOf(args: readonly string[], flags: Flags): string {
  const file = typeof flags.configFile === "string" ? flags.configFile : args[0];
  if (file !== undefined) return file;
  throw usageError({
    code: "usage",
    what: "no configuration file was given",
    fix: "name it as the first argument, or with --config_file",
  });
}

export interface LoadRequest {
  args: readonly string[];
  flags: Flags;
  terminal: Terminal;
  /** Sections whose `${VAR}` must be set. */
  uses: readonly Section[];
  /** The table to check against; a new one unless given. */
  builtins?: Builtins;
  /** The command calls what the file names: a platform that it asks for is found or started. */
  connects?: boolean;
  /** For a command that starts none: where the platform that the file asks for runs, if it does. */
  findPlatform?: (asked: Parameters<OpenPlatform>[0]) => Promise<string | undefined>;
}

/** Reads and checks the configuration, its plugins loaded. */
export async function loadConfigFor(request: LoadRequest): Promise<{ config: Config; builtins: Builtins }> {
  const { args, flags, terminal, uses } = request;
  const env = await environment();
  const builtins = request.builtins ?? createBuiltins({ env, log: terminal });
  terminal.hide(builtins.secrets);
  const config = await loadConfig(configFileOf(args, flags), {
    registry: builtins.registry,
    env,
    uses,
    overrides: [
      ...list(flags.override).map(splitOverride),
      ...(typeof flags.platform === "string" ? [["platform", flags.platform] as const] : []),
    ],
    plugins: list(flags.plugin),
    modules: await publicModules(),
    openPlatform: platformOpener(request, env),
  });
  terminal.hide(config.secrets);
  for (const { path, from, to } of config.replaced) terminal.info(`platform: ${path} is ${to}, in place of ${from}`);
  return { config, builtins };
}

function platformOpener({ connects, findPlatform, terminal }: LoadRequest, env: Record<string, string | undefined>) {
  if (connects === true) return (asked: Parameters<OpenPlatform>[0]) => openPlatform(asked, env, terminal);
  if (findPlatform === undefined) return undefined;
  return async (asked: Parameters<OpenPlatform>[0]) => {
    const origin = await findPlatform(asked);
    return origin === undefined ? USUAL_ADDRESS : addressOf(origin, tokenIn(env));
  };
}

function addressOf(origin: string, token: string | undefined): PlatformAddress {
  return { entity_host: origin, datastore_host: origin, nim_url: `${origin}/nim/v1`, token };
}

function tokenIn({ PAIRWRIGHT_PLATFORM_TOKEN }: Record<string, string | undefined>): string | undefined {
  return PAIRWRIGHT_PLATFORM_TOKEN?.trim() || undefined;
}

/** The platform of this machine. It is used until this process ends, however it does. */
async function openPlatform(
  { models }: Parameters<OpenPlatform>[0],
  env: Record<string, string | undefined>,
  terminal: Terminal,
): Promise<PlatformAddress> {
  const { useEmbeddedPlatform } = await import("../pipeline/embedded-platform.ts");
  const token = tokenIn(env);
  const { origin, started } = await useEmbeddedPlatform({ dir: dataDir("pairwright", env), models, token });
  terminal.info(`platform: ${origin}${started ? ", started for this command" : ", which runs already"}`);
  return addressOf(origin, token);
}

/** The built-in components and those of `--plugin`. */
export async function registryWithPlugins(flags: Flags, terminal: Terminal): Promise<Registry> {
  const { registry } = createBuiltins({ env: await environment(), log: terminal });
  await loadPluginsInto(registry, list(flags.plugin));
  return registry;
}

/** Adds the components of plugin files, named from the working folder. */
export async function loadPluginsInto(registry: Registry, names: readonly string[]): Promise<void> {
  if (names.length > 0) await loadPluginsOnly(names, { registry, modules: await publicModules() });
}

export function list(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
