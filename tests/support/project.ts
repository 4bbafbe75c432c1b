import { copyFile, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import type { RunRecord } from "../../src/records/run.ts";
import { perform } from "./perform.ts";
import { type Ended, pairwright, type Started, startPairwright } from "./program.ts";

type Tree = Record<string, unknown>;

export interface ProjectOptions {
  /** A model server's address. */
  url: string;
  /** How many examples, named e000, e001, …; 12 unless told. */
  examples?: number;
  /** Over the model's settings. */
  llm?: Tree;
  workflow?: Tree;
  general?: Tree;
  evaluators?: Tree;
  /** Whole sections, over everything else. */
  sections?: Tree;
  env?: Record<string, string>;
  /** Copies the plugin into the project, under this name. */
  plugin_copy?: string;
}

/** A folder with a configuration and a data set, as a user has them. Gone when it is disposed of. */
export interface Project extends AsyncDisposable {
  readonly dir: string;
  /** Where the configuration lets results go. */
  readonly out: string;
  /** The command in the tests' own process, which saves its start; one after another, whoever calls. */
  run(...args: string[]): Promise<Ended>;
  /** The command in a process of its own, with more in its environment. */
  runWith(env: Record<string, string>, ...args: string[]): Promise<Ended>;
  start(...args: string[]): Started;
}

export const PLUGIN = fileURLToPath(new URL("guess-plugin.ts", import.meta.url));

const PACKAGES = fileURLToPath(new URL("../../node_modules", import.meta.url));

export async function makeProject(options: ProjectOptions): Promise<Project> {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-test-"));
  // As where a user works; the plugin's translation is kept in it, which halves the start of every process.
  await symlink(PACKAGES, join(dir, "node_modules"), "dir");
  if (options.plugin_copy !== undefined) await copyFile(PLUGIN, join(dir, options.plugin_copy));
  await writeFile(join(dir, "config.yml"), stringify(configOf(options)));
  const ids = exampleIds(options.examples ?? 12);
  await writeFile(join(dir, "data.jsonl"), ids.map((id) => `${JSON.stringify({ id, question: id })}\n`).join(""));
  const { env = {} } = options;
  return {
    dir,
    out: join(dir, "out"),
    run: (...args) => perform(args, { cwd: dir, env }),
    runWith: (more, ...args) => pairwright(args, { cwd: dir, env: { ...env, ...more } }),
    start: (...args) => startPairwright(args, { cwd: dir, env }),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

function configOf(options: ProjectOptions): Tree {
  const { url, llm, workflow, general, evaluators, sections, plugin_copy } = options;
  return {
    plugins: [plugin_copy === undefined ? PLUGIN : `./${plugin_copy}`],
    llms: { model: { _type: "openai", base_url: url, model_name: "test-model", num_retries: 0, ...llm } },
    workflow: { _type: "guess", llm: "model", ...workflow },
    eval: {
      general: {
        max_concurrency: 4,
        output_dir: "out",
        dataset: { _type: "jsonl", file_path: "data.jsonl" },
        ...general,
      },
      evaluators: evaluators ?? { quality: { _type: "quality" } },
    },
    trajectory_builders: { builder: { _type: "mortal_builder" } },
    ...sections,
  };
}

/** e000, e001, … */
export function exampleIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `e${String(index).padStart(3, "0")}`);
}

/** The folders of the runs in an output folder, the oldest first. */
export async function runDirs(out: string): Promise<string[]> {
  const entries = await readdir(out, { withFileTypes: true }).catch(() => []);
  const runs = entries.filter((entry) => entry.isDirectory() && /^\d{4}-/.test(entry.name));
  return runs.map(({ name }) => join(out, name)).sort();
}

/** The lines of a runs.jsonl; it must end with a newline. */
export async function runLines(run_dir: string): Promise<RunRecord[]> {
  const text = await readFile(join(run_dir, "runs.jsonl"), "utf8");
  if (text !== "" && !text.endsWith("\n")) throw new Error("runs.jsonl ends with half a line");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as RunRecord);
}

export interface PairLine {
  pair_id: string;
  example_id: string;
  turn_index: number;
  chosen_index: number;
  rejected_index: number;
}

export async function pairLines(run_dir: string): Promise<PairLine[]> {
  const text = await readFile(join(run_dir, "pairs.jsonl"), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as PairLine);
}

const RESULTS = [
  "pairs.jsonl",
  "dataset/training_file.jsonl",
  "dataset/validation_file.jsonl",
  "dataset/manifest.json",
] as const;

/** What must be the same bytes however a run came to its end. */
export async function resultBytes(run_dir: string): Promise<Record<(typeof RESULTS)[number], string>> {
  const texts = await Promise.all(RESULTS.map((name) => readFile(join(run_dir, name), "utf8")));
  return Object.fromEntries(RESULTS.map((name, index) => [name, texts[index] ?? ""])) as Record<
    (typeof RESULTS)[number],
    string
  >;
}

/** A candidate as `runs.jsonl` holds it. */
export interface CandidateLine {
  turn_index: number;
  candidate_index: number;
  output: unknown;
  score: number | null;
  metadata: Record<string, unknown>;
}

/** The candidates of a run in the order of turn and candidate. */
export function candidatesOf(run: RunRecord | undefined): CandidateLine[] {
  if (run === undefined) throw new Error("there is no such run");
  return run.steps
    .filter(({ payload }) => payload.name === "dpo_candidate_move")
    .map(({ payload: { data, metadata } }) => ({ ...data, metadata }) as unknown as CandidateLine)
    .sort((a, b) => a.turn_index - b.turn_index || a.candidate_index - b.candidate_index);
}

/** Every file below a folder, links left out. */
export async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
