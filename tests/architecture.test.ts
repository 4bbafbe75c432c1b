import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cruise, type ICruiseResult, type IForbiddenRuleType } from "dependency-cruiser";
import extractTSConfig from "dependency-cruiser/config-utl/extract-ts-config";
import { expect, test } from "vitest";

/** Who may import whom, beside itself, in the order data flows. ARCHITECTURE.md has the same table and the reasons. */
const MAY_IMPORT: Record<string, string[]> = {
  lib: [],
  records: [],
  registry: ["lib", "records"],
  llms: ["lib", "records", "registry"],
  ttc: ["registry", "lib", "records"],
  workflow: ["registry", "lib", "records"],
  evaluation: ["registry", "lib", "records"],
  preferences: ["registry", "lib", "records"],
  datasets: ["registry", "lib", "records"],
  tokens: ["lib", "records"],
  engine: ["tokens", "lib"],
  training: ["registry", "tokens", "lib", "records"],
  platform: ["training", "engine", "tokens", "lib", "records"],
  config: ["registry", "lib", "records"],
  pipeline: [
    "config",
    "llms",
    "ttc",
    "workflow",
    "evaluation",
    "preferences",
    "datasets",
    "tokens",
    "training",
    "registry",
    "lib",
    "records",
  ],
  cli: ["pipeline", "config", "platform", "engine", "registry", "lib", "records"],
  testing: ["registry", "lib", "records"],
};

const TEST = "\\.test\\.ts$";

const betweenFolders: IForbiddenRuleType[] = Object.entries(MAY_IMPORT).map(([folder, others]) => ({
  name: `${folder} imports only ${[folder, ...others].join(", ")}`,
  severity: "error",
  from: { path: `^src/${folder}/`, pathNot: TEST },
  to: {
    path: "^src/",
    pathNot: [
      `^src/(${[folder, ...others].join("|")})/`,
      ...(folder === "cli" ? ["^src/index\\.ts$", "^src/testing/index\\.ts$"] : []),
    ],
  },
}));

const everywhere: IForbiddenRuleType[] = [
  {
    name: "only the commands that train, generate, import and examine models use the engine",
    severity: "error",
    from: { path: "^src/cli/", pathNot: ["^src/cli/commands/(train|generate|model-import|doctor)\\.ts$", TEST] },
    to: { path: "^src/engine/" },
  },
  {
    name: "the platform knows the contracts of training, and nothing else of it",
    severity: "error",
    from: { path: "^src/platform/", pathNot: TEST },
    to: { path: "^src/training/(?!wire/)" },
  },
  {
    name: "contracts know no client and no server",
    severity: "error",
    from: { path: "^src/training/wire/", pathNot: TEST },
    to: { path: "^src/", pathNot: "^src/(training/wire|lib|records)/" },
  },
  {
    name: "no cycles",
    severity: "error",
    from: { path: "^src/" },
    to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
  },
  { name: "every import resolves", severity: "error", from: { path: "^src/" }, to: { couldNotResolve: true } },
  { name: "nothing imports a test", severity: "error", from: { pathNot: TEST }, to: { path: TEST } },
  { name: "src knows no example", severity: "error", from: { path: "^src/" }, to: { path: "^examples/" } },
  {
    name: "no development dependency at run time",
    severity: "error",
    from: { path: "^src/", pathNot: TEST },
    to: { dependencyTypes: ["npm-dev", "npm-no-pkg"] },
  },
  {
    name: "records use zod only",
    severity: "error",
    from: { path: "^src/records/", pathNot: TEST },
    to: { dependencyTypes: ["npm"], pathNot: "^node_modules/zod/" },
  },
];

async function violations(baseDir: string) {
  const { output } = await cruise(
    ["src"],
    {
      baseDir,
      ruleSet: { forbidden: [...betweenFolders, ...everywhere] },
      validate: true,
      doNotFollow: { path: "node_modules" },
      tsPreCompilationDeps: true,
    },
    { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
    { tsConfig: extractTSConfig(join(process.cwd(), "tsconfig.json")) },
  );
  const { summary } = output as ICruiseResult;
  return {
    totalCruised: summary.totalCruised,
    found: summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`).sort(),
  };
}

test("src keeps to the import rules", async () => {
  const { totalCruised, found } = await violations(process.cwd());

  // With a TypeScript that it cannot load, dependency-cruiser reads no file and finds no fault.
  const files = (await readdir("src", { recursive: true })).filter((name) => name.endsWith(".ts"));
  expect(totalCruised).toBeGreaterThanOrEqual(files.length);
  expect(files.length).toBeGreaterThan(60);
  expect(found).toEqual([]);
}, 60_000);

test("every folder of src has its row in the table, and ARCHITECTURE shows the same table", async () => {
  const folders = (await readdir("src", { withFileTypes: true })).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).sort()).toEqual(Object.keys(MAY_IMPORT).sort());

  const text = await readFile("ARCHITECTURE.md", "utf8");
  const rows = [...text.matchAll(/^\| `(\w+)` +\|[^|]*\|([^|]*)\|$/gm)].map(([, folder, allowed]) => [
    folder,
    [...(allowed ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name).sort(),
  ]);
  expect(Object.fromEntries(rows)).toEqual(
    Object.fromEntries(Object.entries(MAY_IMPORT).map(([folder, allowed]) => [folder, [...allowed].sort()])),
  );
});

test("the rules catch what they are for", async () => {
  const { totalCruised, found } = await violations("tests/fixtures/bad-imports");

  expect(totalCruised).toBe(5);
  expect(found).toEqual([
    "datasets imports only datasets, registry, lib, records: src/datasets/write.ts -> src/preferences/pairs.ts",
    "no cycles: src/preferences/pairs.ts -> src/workflow/run.ts",
    "preferences imports only preferences, registry, lib, records: src/preferences/pairs.ts -> src/workflow/run.ts",
    "records imports only records: src/records/turn.ts -> src/lib/text.ts",
    "workflow imports only workflow, registry, lib, records: src/workflow/run.ts -> src/preferences/pairs.ts",
  ]);
});

/** Files of ours and packages that a file loads at its start, and those that they load. */
async function loadedBy(file: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = await readFile(file, "utf8");
  for (const [, from = ""] of text.matchAll(/^(?:import|export) (?!type )(?:[^;"]* from )?"([^"]+)"/gm)) {
    if (from.startsWith(".")) await loadedBy(join(dirname(file), from), seen);
    else if (!from.startsWith("node:")) seen.add(from);
  }
  return seen;
}

test("threads that make pairs load no schema, which would take each 15 MB and 60 ms", async () => {
  expect(await loadedBy("src/datasets/formats/builtin-formats.ts")).toContain("zod");
  for (const thread of ["src/pipeline/pairs/worker.ts", "src/pipeline/rollouts/worker.ts"]) {
    const loaded = await loadedBy(thread);
    expect(loaded.size).toBeGreaterThan(20);
    expect([...loaded].filter((name) => !name.startsWith("src/"))).toEqual([]);
  }
});
