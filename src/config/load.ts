import { basename, dirname, extname, relative, resolve } from "node:path";
import type { Registry } from "../registry/registry.ts";
import { checkPart, type Entry } from "./components.ts";
import type { ComponentConfig, ComponentConfigs, Config, LoadedPlugin } from "./config.ts";
import { ConfigError, type ConfigProblem, collectFaults, type Faults } from "./config-error.ts";
import { effectiveTree, type Part } from "./effective.ts";
import { type Expansion, expandVariables } from "./expand-variables.ts";
import { display, type Layers, readLayers } from "./layers.ts";
import { type MapNode, nodeAt, type Place, scalarsOf } from "./node.ts";
import { isHidden } from "./original-text.ts";
import { applyOverrides } from "./overrides.ts";
import { type OpenPlatform, platformAsked, pointAt, USUAL_ADDRESS, withAddress } from "./platform-address.ts";
import { loadPlugins, type PluginRequest } from "./plugins.ts";
import { isSearchedFor, redactText, type Secrets, userinfoSecrets } from "./redact.ts";
import { checkReferences } from "./references.ts";
import { type ComponentSection, type Platform, PlatformOptions, Plugins, type Section } from "./schema.ts";
import { type CheckedSections, checkSections, type Parts } from "./sections.ts";
import { readTextFiles } from "./text-files.ts";

export interface LoadOptions {
  /** Holds the built-in components; those of plugins are added to it. */
  registry: Registry;
  env: Record<string, string | undefined>;
  /** The sections that the command works with: only there must every variable have a value. */
  uses: readonly Section[];
  /** `-o path value`, in the order given. */
  overrides?: readonly (readonly [path: string, value: string])[] | undefined;
  /** `--plugin`, from the working folder. */
  plugins?: readonly string[] | undefined;
  /** The folder that the file's name and overrides start from; the process's own unless told. */
  cwd?: string | undefined;
  /** What plugins get when they import these names, such as this package's own: never a second copy of it. */
  modules?: Record<string, unknown> | undefined;
  /** Finds or starts the platform that the file asks for. Without it, the address that one has unless told is put in. */
  openPlatform?: OpenPlatform | undefined;
  /** Loads a plugin's module from its absolute path; jiti does, unless told. */
  importPlugin?: ((file: string) => Promise<unknown>) | undefined;
}

/**
 * Reads a configuration, loads its plugins and checks all of it. Throws one ConfigError with everything that is wrong:
 * only YAML that cannot be read, or a file that is not there, hides what comes after it.
 */
export async function loadConfig(file: string, options: LoadOptions): Promise<Config> {
  const cwd = options.cwd ?? process.cwd();
  const faults = collectFaults();
  const secrets: Secrets = new Set();
  const shownName = display(resolve(cwd, file), cwd);

  const layers = await readLayers(file, cwd, { env: options.env, secrets, faults });
  if (layers === undefined) throw errorOf(shownName, faults, secrets, []);
  const { root } = layers;

  applyOverrides(root, options.overrides ?? [], cwd, faults);
  const used = new Set<string>([...options.uses, "plugins"]);
  const { env, replaced, token } = await platformOf(root, options, { env: options.env, secrets, faults });
  expandVariables(root, (section) => used.has(section), { env, secrets, faults });
  collectSecrets(root, secrets);
  await readTextFiles(root, faults);

  const before = faults.problems.length;
  const plugins = await loadAllPlugins(root, options, cwd, faults);
  const plugin_failed = faults.problems.length > before;
  const checked = checkSections(root, { registry: options.registry, faults, plugin_failed });
  const { general, finetuning, split, platform } = checked.parts;
  checkReferences(checked.entries, [general, finetuning, split, ...(platform ? [platform] : [])], faults);

  if (faults.problems.length > 0) {
    throw errorOf(
      shownName,
      faults,
      secrets,
      layers.files.map((name) => display(name, cwd)),
    );
  }
  const nim_url = env.CUSTOMIZER_NIM_URL;
  const served = { ...(nim_url && { nim_url }), ...(token && { platform_token: token }) };
  return { ...assembled(layers, checked, plugins, secrets), replaced, ...served };
}

/** The environment with the platform's address in it, and what the address replaced, where the file asks for a platform. */
async function platformOf(root: MapNode, { openPlatform }: LoadOptions, expansion: Expansion) {
  const asked = platformAsked(root, expansion);
  if (asked === undefined) return { env: expansion.env, replaced: [], token: undefined };
  const address = openPlatform ? await openPlatform(asked) : USUAL_ADDRESS;
  const { token } = address;
  return { env: withAddress(expansion.env, address), replaced: pointAt(root, asked, address), token };
}

function collectSecrets(root: MapNode, secrets: Secrets): void {
  for (const { scalar, path } of scalarsOf(root)) {
    if (scalar.text !== "" && isHidden(path) && isSearchedFor(String(path.at(-1)))) secrets.add(scalar.text);
    for (const secret of userinfoSecrets(scalar.text)) secrets.add(secret);
  }
}

/** The faults in the order a person mends them, with nothing secret in any sentence. */
function errorOf(file: string, faults: Faults, secrets: Secrets, files: readonly string[]): ConfigError {
  const rank = (problem: ConfigProblem) => (files.includes(problem.file) ? files.indexOf(problem.file) : files.length);
  const problems = faults.problems
    .map((problem) => ({
      ...problem,
      message: redactText(problem.message, secrets),
      ...(problem.fix === undefined ? {} : { fix: redactText(problem.fix, secrets) }),
    }))
    .sort((a, b) => rank(a) - rank(b) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  return new ConfigError(file, problems);
}

async function loadAllPlugins(
  root: MapNode,
  options: LoadOptions,
  cwd: string,
  faults: Faults,
): Promise<LoadedPlugin[]> {
  const requests: PluginRequest[] = [];
  const node = nodeAt(root, ["plugins"]);
  if (node !== undefined && !(node.kind === "scalar" && node.value === null)) {
    const names = checkPart(Plugins, node, ["plugins"], faults) ?? [];
    for (const [index, name] of names.entries()) {
      const item = nodeAt(root, ["plugins", index]);
      // Its fault is the variable without a value.
      if (item?.kind !== "scalar" || item.unexpanded) continue;
      const { place } = item;
      const before = node.kind === "list" ? node.items.slice(0, index) : [];
      // Its place in the list of its own file: those of bases come before it.
      const own = before.filter((other) => other.place.file === place.file).length;
      requests.push({ name, known_as: seenFrom(root.place.dir, name, place), place, path: ["plugins", own] });
    }
  }
  for (const name of options.plugins ?? []) {
    const place: Place = { file: "--plugin", line: null, column: null, dir: cwd };
    requests.push({ name, place, path: [] });
  }
  const { registry, importPlugin, modules = {} } = options;
  return loadPlugins(requests, { registry, modules, importPlugin, faults });
}

/** A base file's `./plugin.ts` as the main file would write it, so that no two plugins go by one name. */
function seenFrom(dir: string, name: string, place: Place): string | undefined {
  if (place.dir === dir || place.override !== undefined || !/^\.{1,2}[\\/]/.test(name)) return undefined;
  const path = relative(dir, resolve(place.dir, name)).replaceAll("\\", "/");
  return path.startsWith("../") ? path : `./${path}`;
}

function assembled(
  layers: Layers,
  checked: CheckedSections,
  plugins: LoadedPlugin[],
  secrets: Secrets,
): Omit<Config, "replaced"> {
  const { entries, parts } = checked;
  const file = layers.files[0] ?? "";
  const name = basename(file, extname(file));
  const section = (wanted: ComponentSection) => components(entries, wanted);
  const { output, output_dir = `./.tmp/pairwright/${name}`, dataset: _dataset, ...general } = dataOf(parts.general);
  const finetuning = dataOf(parts.finetuning);
  const dirs = {
    eval: output?.dir ?? output_dir,
    finetuning: finetuning.output_dir ?? `./.tmp/pairwright/finetuning/${name}`,
  };
  const [workflow] = Object.values(section("workflow"));
  const [dataset] = Object.values(section("eval.general.dataset"));
  const platform = parts.platform === undefined ? undefined : normalised(dataOf(parts.platform));
  return {
    file,
    dir: dirname(file),
    files: layers.files,
    llms: section("llms"),
    functions: section("functions"),
    ttc_strategies: section("ttc_strategies"),
    ...(workflow ? { workflow } : {}),
    eval: {
      general: { ...general, output_dir: dirs.eval, ...(dataset ? { dataset } : {}) },
      evaluators: section("eval.evaluators"),
    },
    trajectory_builders: section("trajectory_builders"),
    trainers: section("trainers"),
    trainer_adapters: section("trainer_adapters"),
    finetuning: { ...finetuning, output_dir: dirs.finetuning },
    split: dataOf(parts.split),
    ...(platform ? { platform } : {}),
    plugins,
    effective: effectiveTree(
      entries,
      effectiveParts(parts, dirs),
      plugins.map((plugin) => plugin.name),
      secrets,
    ),
    secrets: [...secrets],
    original_text: redactText(layers.text, secrets),
  };
}

/** No part is without its data once no fault was found. */
function dataOf<T>({ data }: { data: T | undefined }): T {
  if (data === undefined) throw new TypeError("a part of the configuration is at fault, and no fault was told");
  return data;
}

function normalised(platform: Platform | "embedded"): Platform {
  return platform === "embedded" ? PlatformOptions.parse({ _type: "embedded" }) : platform;
}

function effectiveParts(parts: Parts, dirs: { eval: string; finetuning: string }): Part[] {
  return [
    ...(parts.platform ? [{ ...parts.platform, finish: (filled: unknown) => platformTree(filled) }] : []),
    {
      ...parts.general,
      // The two spellings of one folder become one.
      finish: (filled) => {
        const { output, ...rest } = filled as { output?: { dir?: string }; output_dir?: string };
        return { ...rest, output_dir: output?.dir ?? rest.output_dir ?? dirs.eval };
      },
    },
    { ...parts.finetuning, finish: (filled) => ({ output_dir: dirs.finetuning, ...(filled as object) }) },
    { ...parts.split, finish: (filled) => ({ ...(filled as object) }) },
  ];
}

function platformTree(filled: unknown): Record<string, unknown> {
  return typeof filled === "string" ? { ...normalised("embedded") } : { ...(filled as object) };
}

function components(entries: readonly Entry[], section: ComponentSection): ComponentConfigs {
  const found = entries.flatMap((entry): [string, ComponentConfig][] => {
    const { name, registered, options } = entry;
    if (entry.section !== section || registered === undefined || options === undefined) return [];
    return [[name, { name, section, kind: registered.kind, type: registered.type, options, component: registered }]];
  });
  return Object.fromEntries(found);
}
