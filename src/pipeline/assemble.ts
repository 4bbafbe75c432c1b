import { join } from "node:path";
import type { ComponentConfig, Config } from "../config/config.ts";
import { userinfoSecrets } from "../config/redact.ts";
import { datasetForFile } from "../evaluation/datasets/dataset-for-file.ts";
import { readExamples } from "../evaluation/examples.ts";
import { usageError } from "../lib/errors.ts";
import { fileSha256, isFile } from "../lib/files.ts";
import type { Logger } from "../lib/log.ts";
import type { ChatModel } from "../registry/chat-model.ts";
import type { DatasetReader } from "../registry/dataset.ts";
import type { BuildArguments, Built, Kind } from "../registry/registry.ts";
import type { BoundFunction } from "../registry/workflow.ts";
import { instrumentFunction, instrumentModel } from "../workflow/instrument.ts";
import { remoteWorkflow } from "../workflow/remote-workflow.ts";
import { assemblePairs, type Build, type PairConfig } from "./assemble-pairs.ts";
import { buildAlone } from "./build-alone.ts";
import type { Builtins } from "./builtin-registry.ts";
import { componentPart } from "./component-part.ts";
import { datasetHash } from "./dataset-hash.ts";
import { unwritable } from "./disk-error.ts";
import type { PairParts, Parts } from "./parts.ts";
import { resolvePath } from "./resolve-path.ts";

export interface AssembleOptions {
  /** The table that the configuration was checked against, and what its models share. */
  builtins: Builtins;
  log: Logger;
  /** Whether model replies are read from and written to the cache beside the runs. */
  cache: boolean;
  /** Where results go, instead of eval's folder. */
  output_dir?: string | undefined;
  /** Examples from here instead of from the configuration's data set. */
  dataset_file?: string | undefined;
  /** A workflow served elsewhere, instead of the configuration's. */
  endpoint?: { url: string; timeout_seconds: number } | undefined;
}

/** Builds what a configuration names, each part once, and nothing that is not used. Here the configuration ends. */
export async function assemble(config: Config, options: AssembleOptions): Promise<Parts> {
  const builder = createBuilder(config, options.log);
  const output_dir = options.output_dir ?? config.eval.general.output_dir;
  const closers: (() => unknown)[] = [];
  if (options.cache) closers.push(await openCache(options, config, output_dir));

  const workflow = assembleWorkflow(config, builder, options, closers);
  const reader = assembleDataset(config, builder, options);
  const evaluators = Object.fromEntries(
    Object.entries(config.eval.evaluators).map(([name, part]) => [name, builder.build(part, "evaluator")]),
  );
  return {
    workflow,
    examples: () => readExamples(reader),
    inputs: () => inputsOf(config, reader, builder.files),
    evaluators,
    shape: reader.shape ?? {},
    pairs: assemblePairs(config, options.builtins.registry, builder.build),
    max_concurrency: config.eval.general.max_concurrency,
    output_dir,
    config: { effective: config.effective, original: config.original_text, file: config.file },
    secrets: [...config.secrets, ...options.builtins.secrets, ...userinfoSecrets(options.endpoint?.url ?? "")],
    knows_cost: Object.values(config.llms).every(({ options }) => options.price !== undefined),
    async close() {
      for (const close of [...closers, ...builder.models().map((model) => () => model.close?.())]) await close();
    },
  };
}

/** Only the workflow and what it is made of: for one input, without a data set. */
export async function assembleWorkflowAlone(
  config: Config,
  options: AssembleOptions,
): Promise<{ workflow: Parts["workflow"]; close(): Promise<void> }> {
  const builder = createBuilder(config, options.log);
  const closers: (() => unknown)[] = [];
  if (options.cache) closers.push(await openCache(options, config, config.eval.general.output_dir));
  const workflow = assembleWorkflow(config, builder, options, closers);
  const close = async () => {
    for (const end of [...closers, ...builder.models().map((model) => () => model.close?.())]) await end();
  };
  return { workflow, close };
}

/** The response cache lies beside the runs, and is what first finds that nothing can be written there. */
async function openCache(
  { builtins }: AssembleOptions,
  config: Config,
  output_dir: string,
): Promise<() => Promise<void>> {
  try {
    return await builtins.openCache(join(output_dir, "cache"), config.secrets);
  } catch (error) {
    throw unwritable(output_dir, error);
  }
}

/** Only what pairs are made with: for stored runs, with no workflow and no model. */
export function assemblePairsAlone(
  config: PairConfig,
  { builtins, log }: { builtins: Builtins; log: Logger },
  training_type?: PairParts["training_type"],
): PairParts {
  return assemblePairs(config, builtins.registry, (part, kind) => buildAlone(part, kind, log), training_type);
}

interface Builder {
  build: Build;
  models(): ChatModel[];
  /** What components asked for by path: as written, and where it was found. */
  files: ReadonlyMap<string, string>;
}

/** Builds components on demand; whoever names another one gets the same instance. */
function createBuilder(config: Config, log: Logger): Builder {
  const built = new Map<string, unknown>();
  const models: ChatModel[] = [];
  const files = new Map<string, string>();

  function once<T>(key: string, make: () => T): T {
    if (!built.has(key)) built.set(key, make());
    return built.get(key) as T;
  }

  function find(section: "llms" | "functions" | "ttc_strategies", name: string): ComponentConfig {
    const part = config[section][name];
    if (part) return part;
    throw usageError({
      code: "unknown_reference",
      where: section,
      what: `there is no "${name}"`,
      fix: `name one of: ${Object.keys(config[section]).join(", ") || "(there is none)"}`,
    });
  }

  function build<K extends Kind>(part: ComponentConfig, _kind: K): Built[K] {
    const args: BuildArguments<Record<string, unknown>> = {
      options: part.options,
      name: part.name,
      llm: (name) =>
        once(`llm/${name}`, () => {
          const model = build(find("llms", name), "llm");
          models.push(model);
          return instrumentModel(model);
        }),
      function: (name) =>
        once(
          `function/${name}`,
          (): BoundFunction => instrumentFunction(name, build(find("functions", name), "function")),
        ),
      search: (name) => once(`search/${name}`, () => build(find("ttc_strategies", name), "search")),
      edit: (name) => once(`edit/${name}`, () => build(find("ttc_strategies", name), "edit")),
      scorer: (name) => once(`scorer/${name}`, () => build(find("ttc_strategies", name), "scorer")),
      selector: (name) => once(`selector/${name}`, () => build(find("ttc_strategies", name), "selector")),
      path: (written) => {
        const path = resolvePath(written, config.dir);
        files.set(written, path);
        return path;
      },
      log,
    };
    return part.component.component.build(args) as Built[K];
  }

  return { build, models: () => models, files };
}

function assembleWorkflow(
  config: Config,
  builder: Builder,
  options: AssembleOptions,
  closers: (() => unknown)[],
): Parts["workflow"] {
  if (options.endpoint) {
    const remote = remoteWorkflow(options.endpoint.url, options.endpoint.timeout_seconds);
    closers.push(remote.close);
    return { name: "remote", run: remote.run };
  }
  const { workflow } = config;
  if (workflow) return { name: workflow.type, run: builder.build(workflow, "workflow") };
  throw usageError({
    code: "no_workflow",
    where: config.file,
    what: "there is no `workflow:` section",
    fix: "say what is to run over the data set: workflow: {_type: …}",
  });
}

function assembleDataset(config: Config, builder: Builder, options: AssembleOptions): DatasetReader {
  const { registry } = options.builtins;
  const written = config.eval.general.dataset;
  if (options.dataset_file !== undefined) {
    const { _type, ...rest } = datasetForFile(options.dataset_file, written?.options);
    return builder.build(componentPart(registry, { kind: "dataset", type: _type }, rest), "dataset");
  }
  if (written) return builder.build(written, "dataset");
  throw usageError({
    code: "no_dataset",
    where: config.file,
    what: "there is no data set: neither eval.general.dataset nor --dataset",
    fix: "name a file: eval: {general: {dataset: {_type: json, file_path: …}}}",
  });
}

async function inputsOf(
  config: Config,
  reader: DatasetReader,
  files: ReadonlyMap<string, string>,
): Promise<Record<string, string>> {
  const inputs: Record<string, string> = { dataset: await datasetHash(reader) };
  for (const plugin of config.plugins) {
    if (plugin.file !== undefined) inputs[`plugin ${plugin.name}`] = await fileSha256(plugin.file);
  }
  for (const [written, file] of files) {
    // The data set has its own entry; what is no file (a folder to write to) is no input.
    if (file !== reader.file && (await isFile(file))) inputs[`file ${written}`] = await fileSha256(file);
  }
  return inputs;
}
