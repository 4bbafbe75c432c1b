import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import type { ComponentConfig, ComponentConfigs } from "../config/config.ts";
import { Finetuning, Split } from "../config/schema.ts";
import { exists } from "../lib/files.ts";
import type { Kind, Registry } from "../registry/registry.ts";
import type { PairConfig } from "./assemble-pairs.ts";
import { componentPart } from "./component-part.ts";
import { runsFile } from "./pairs/run-lines.ts";

type Tree = Record<string, unknown>;

/**
 * The sections that pairs are made by, as the run itself had them: a run folder, or the runs.jsonl in it. The usual ones
 * where it left no configuration, which `warn` is told.
 */
export async function pairConfigOfRun(
  run: string,
  registry: Registry,
  warn: (warning: string) => void,
): Promise<PairConfig> {
  const path = join(dirname(await runsFile(run)), "config_effective.yml");
  const there = await exists(path);
  if (!there) {
    warn(`${path} is not there: pairs are made with the usual settings, unless flags or --config-file say otherwise`);
  }
  const tree: Tree = there ? object(parse(await readFile(path, "utf8"))) : {};
  const components = (section: string, kind: Kind): ComponentConfigs =>
    Object.fromEntries(
      Object.entries(object(tree[section])).map(([name, part]) => [
        name,
        component({ registry, path, section, kind, name }, object(part)),
      ]),
    );
  return {
    trajectory_builders: components("trajectory_builders", "trajectory_builder"),
    trainers: components("trainers", "trainer"),
    trainer_adapters: components("trainer_adapters", "trainer_adapter"),
    finetuning: Finetuning.parse(object(tree.finetuning)),
    split: Split.parse(object(tree.split)),
  };
}

/** The same, with further options for the builder that will be used. */
export function withBuilderOptions(config: PairConfig, registry: Registry, options: Tree): PairConfig {
  const builders = Object.values(config.trajectory_builders);
  const name = config.finetuning.trajectory_builder ?? builders[0]?.name ?? "dpo_traj_builder";
  const old = config.trajectory_builders[name];
  const type = old?.type ?? "dpo_traj_builder";
  const place = {
    registry,
    path: "the options given",
    section: "trajectory_builders",
    kind: "trajectory_builder" as const,
    name,
  };
  const { pair_mode, exhaustive_pairs, ...kept } = object(old?.options);
  // A mode that was asked for replaces both spellings of the old one.
  const mode =
    options.pair_mode === undefined
      ? { ...(pair_mode !== undefined && { pair_mode }), ...(exhaustive_pairs !== undefined && { exhaustive_pairs }) }
      : {};
  const part = component(place, { _type: type, ...kept, ...mode, ...options });
  return { ...config, trajectory_builders: { ...config.trajectory_builders, [name]: part } };
}

function component(
  place: { registry: Registry; path: string; section: string; kind: Kind; name: string },
  { _type, ...options }: Tree,
): ComponentConfig {
  const { registry, path, section, kind, name } = place;
  return componentPart(
    registry,
    { kind, type: String(_type), name, section, where: `${path}: ${section}.${name}` },
    options,
  );
}

function object(value: unknown): Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Tree) : {};
}
