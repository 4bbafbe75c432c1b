import type { Logger } from "../lib/log.ts";
import { buildAlone } from "../pipeline/build-alone.ts";
import { componentPart } from "../pipeline/component-part.ts";
import type { NamedFormats } from "../pipeline/pairs/read-pairs.ts";
import type { Registry } from "../registry/registry.ts";

/** The row formats, those of plugins too. */
export function formatsOf(registry: Registry, log: Logger): NamedFormats {
  return registry.list("format").map(({ type }) => ({
    name: type,
    format: buildAlone(componentPart(registry, { kind: "format", type }), "format", log),
  }));
}
