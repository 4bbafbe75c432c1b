import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Jiti } from "jiti";
import { codeOf, messageOf, PairwrightError } from "../lib/errors.ts";
import { isPlugin } from "../registry/plugin.ts";
import type { Registry } from "../registry/registry.ts";
import type { LoadedPlugin } from "./config.ts";
import type { Faults } from "./config-error.ts";
import type { Path, Place } from "./node.ts";

/** A plugin that is asked for, and by which line. */
export interface PluginRequest {
  name: string;
  /** Its name from the main file's folder, where the name as written starts from another one. */
  known_as?: string | undefined;
  place: Place;
  path: Path;
}

export interface PluginLoading {
  registry: Registry;
  /** Modules that plugins get as they are instead of a copy of their own, by the name they import. */
  modules: Record<string, unknown>;
  /** Loads a plugin's module; jiti does, unless told. */
  importPlugin?: ((file: string) => Promise<unknown>) | undefined;
  faults: Faults;
}

/** Loads each plugin once and lets it register, in order. Whatever goes wrong is a fault that names the plugin. */
export async function loadPlugins(requests: readonly PluginRequest[], loading: PluginLoading): Promise<LoadedPlugin[]> {
  const loaded: LoadedPlugin[] = [];
  let jiti: Jiti | undefined;
  for (const request of requests) {
    const { name, place } = request;
    const fail = (message: string, fix?: string) =>
      loading.faults.add({ code: "plugin", place, path: request.path, message: `the plugin ${name} ${message}`, fix });
    jiti ??= await createLoader(place.dir, loading.modules);
    const file = locate(name, place, jiti);
    if (file === undefined) {
      const beside = existsSync(resolve(place.dir, name));
      if (isFileName(name)) fail("is not there");
      else
        fail(
          "is no package that is installed here",
          beside ? `for the file beside this one write ./${name}` : undefined,
        );
      continue;
    }
    if (loaded.some((other) => other.file === file)) continue;
    try {
      const loader = jiti;
      const module = await (loading.importPlugin?.(file) ?? importFile(file, loader));
      const plugin = pluginOf(module);
      if (typeof plugin === "string") {
        fail(plugin, "end the file with: export default definePlugin((registry) => { … })");
        continue;
      }
      const known_as = request.known_as ?? name;
      await plugin.register(loading.registry.from(known_as));
      loaded.push({ name: known_as, file });
    } catch (error) {
      fail(`failed: ${describe(error, file)}`, moduleHint(error));
    }
  }
  return loaded;
}

/** jiti is loaded only when there is a plugin: it costs as much as the rest of the start. */
async function createLoader(dir: string, modules: Record<string, unknown>): Promise<Jiti> {
  const { createJiti } = await import("jiti");
  // Not jiti's own choice, which is a folder that every user of the machine can write to and that code is run from.
  const packages = nearestPackages(dir);
  const fsCache = packages === undefined ? false : join(packages, ".cache", "pairwright");
  return createJiti(import.meta.url, { virtualModules: modules, fsCache });
}

function nearestPackages(dir: string): string | undefined {
  for (let folder = dir; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "node_modules"))) return join(folder, "node_modules");
    if (folder === dirname(folder)) return undefined;
  }
}

/**
 * Evaluates the plugin's file here. jiti's own import would hand JavaScript modules to Node, where their `pairwright`
 * could be another copy than the one that runs.
 */
async function importFile(file: string, jiti: Jiti): Promise<unknown> {
  const source = await readFile(file, "utf8");
  return jiti.evalModule(source, { id: file, filename: file, async: true, forceTranspile: true });
}

function isFileName(name: string): boolean {
  return /^\.{0,2}[\\/]/.test(name) || isAbsolute(name) || name.startsWith("file:");
}

function locate(name: string, place: Place, jiti: Jiti): string | undefined {
  const beside = resolve(place.dir, name.startsWith("file:") ? fileURLToPath(name) : name);
  // On the command line a bare name is a file when there is one: that is what a shell completes to.
  if (isFileName(name) || (place.line === null && existsSync(beside))) return existsSync(beside) ? beside : undefined;
  const url = jiti.esmResolve(name, { parentURL: pathToFileURL(join(place.dir, "_.js")), try: true });
  if (url === undefined) return undefined;
  return url.startsWith("file:") ? fileURLToPath(url) : url;
}

/** The module's plugin, or what is wrong with it. */
function pluginOf(module: unknown) {
  // A CommonJS plugin is the module itself.
  if (isPlugin(module)) return module;
  const exported = typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
  if (exported === undefined) return "has no default export";
  return isPlugin(exported) ? exported : "exports something else than definePlugin(…) by default";
}

function describe(error: unknown, file: string): string {
  const message = PairwrightError.is(error) ? error.what : messageOf(error);
  const [line = ""] = message.replace(/^ParseError: /, "").split("\n");
  const frame = frameOf(error, file);
  return frame === undefined ? line.trim() : `${line.trim()} (at ${frame})`;
}

/** Where in the plugin's own folder an error began, as `file:line`; columns are the transformed code's. */
function frameOf(error: unknown, file: string): string | undefined {
  const stack =
    error instanceof Error || (typeof error === "object" && error !== null && "stack" in error) ? error.stack : "";
  for (const [, path = "", line] of String(stack).matchAll(/((?:\/|[A-Za-z]:[\\/])[^():\n]+):(\d+):\d+/g)) {
    const found = resolve(path.replace(/^\/+/, "/"));
    if (found === file) return `${basenameOf(found, file)}:${line}`;
    if (found.startsWith(join(dirname(file), "/")) && !found.includes("node_modules")) {
      return `${basenameOf(found, file)}:${line}`;
    }
  }
  return undefined;
}

function basenameOf(found: string, file: string): string {
  return found.slice(join(dirname(file), "/").length);
}

function moduleHint(error: unknown): string | undefined {
  const code = codeOf(error);
  return code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND" ? "install it, or mend the import" : undefined;
}
