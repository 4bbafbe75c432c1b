import type { ComponentConfig } from "../config/config.ts";
import { usageError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { BuildArguments, Built, Kind } from "../registry/registry.ts";
import { resolvePath } from "./resolve-path.ts";

/** Builds a component that must do without any other: naming one is an error. Paths start from the working folder. */
export function buildAlone<K extends Kind>(part: ComponentConfig, _kind: K, log: Logger): Built[K] {
  const none = (name: string): never => {
    throw usageError({
      code: "not_here",
      where: `${part.section}.${part.name}`,
      what: `it needs "${name}", and is built alone here: no model and no other component is at hand`,
      fix: "choose one that needs no other, or collect with a configuration that names it",
    });
  };
  const args: BuildArguments<Record<string, unknown>> = {
    options: part.options,
    name: part.name,
    llm: none,
    function: none,
    search: none,
    edit: none,
    scorer: none,
    selector: none,
    path: (written) => resolvePath(written, "."),
    log,
  };
  return part.component.component.build(args) as Built[K];
}
