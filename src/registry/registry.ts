import type { z } from "zod";
import { usageError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { ChatModel } from "./chat-model.ts";
import type { DatasetReader } from "./dataset.ts";
import type { Evaluator } from "./evaluator.ts";
import type { DatasetFormat, RolloutReader, Trainer, TrainerAdapter, TrajectoryBuilder } from "./training.ts";
import type { BoundFunction, Edit, Scorer, Search, Selector, WorkflowFunction } from "./workflow.ts";

/** What a component of each kind is, once built. */
export interface Built {
  workflow: WorkflowFunction;
  function: WorkflowFunction;
  llm: ChatModel;
  search: Search;
  edit: Edit;
  scorer: Scorer;
  selector: Selector;
  evaluator: Evaluator;
  dataset: DatasetReader;
  trajectory_builder: TrajectoryBuilder;
  trainer: Trainer;
  trainer_adapter: TrainerAdapter;
  reader: RolloutReader;
  format: DatasetFormat;
}
export type Kind = keyof Built;

export const KINDS: readonly Kind[] = [
  "workflow",
  "function",
  "llm",
  "search",
  "edit",
  "scorer",
  "selector",
  "evaluator",
  "dataset",
  "trajectory_builder",
  "trainer",
  "trainer_adapter",
  "reader",
  "format",
];

/** What a component is built from: its own options, and the others that it names. */
export interface BuildArguments<Options> {
  options: Options;
  /** The component's key in the configuration. */
  name: string;
  /** A model by its name under `llms:`; calls are recorded as steps of the running example. */
  llm(name: string): ChatModel;
  function(name: string): BoundFunction;
  search(name: string): Search;
  edit(name: string): Edit;
  scorer(name: string): Scorer;
  selector(name: string): Selector;
  /** A path as the configuration writes it, made absolute: from the working folder, else from the file's folder. */
  path(written: string): string;
  log: Logger;
}

type OptionsSchema = z.ZodObject;

/** A component as it is registered: what it takes, and how it is made. */
export interface Component<K extends Kind = Kind, S extends OptionsSchema = OptionsSchema> {
  /** One sentence for `info components`. */
  description?: string;
  /** A strict object; `_type` is taken out before it is applied. */
  options: S;
  build(args: BuildArguments<z.output<S>>): Built[K];
}

/** One row of the table of components. */
export interface Registered {
  kind: Kind;
  type: string;
  component: Component;
  /** Who registered it: `pairwright`, or the plugin's file or package. */
  source: string;
}

type Register<K extends Kind> = <S extends OptionsSchema>(type: string, component: Component<K, S>) => void;

/** The table of components: one method a kind to add with, and a look-up. A value, passed on; never module state. */
export type Registry = { readonly [K in Kind]: Register<K> } & {
  find(kind: Kind, type: string): Registered | undefined;
  list(kind?: Kind): Registered[];
  /** A view of the same table that notes `source` as the origin of what is added. */
  from(source: string): Registry;
};

/** An empty table. A name taken twice within a kind is an error that names both origins. */
export function createRegistry(): Registry {
  const table = new Map<string, Registered>();

  function add(kind: Kind, type: string, component: Component, source: string): void {
    const key = `${kind}/${type}`;
    const taken = table.get(key);
    if (taken) {
      throw usageError({
        code: "duplicate_component",
        where: source,
        what: `the ${kind} "${type}" is registered already by ${taken.source}`,
        fix: "choose another name, or load only one of the two",
      });
    }
    table.set(key, { kind, type, component, source });
  }

  function view(source: string): Registry {
    const registers = Object.fromEntries(
      KINDS.map((kind) => [kind, (type: string, component: Component) => add(kind, type, component, source)]),
    ) as unknown as { [K in Kind]: Register<K> };
    return {
      ...registers,
      find: (kind, type) => table.get(`${kind}/${type}`),
      list: (kind) => [...table.values()].filter((entry) => kind === undefined || entry.kind === kind),
      from: view,
    };
  }

  return view("pairwright");
}
