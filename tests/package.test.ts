import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startModelServer } from "pairwright/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { trainingPlace } from "../src/engine/__fixtures__/model-folder.ts";

const run = promisify(execFile);
const MAX_PACKAGES = 45;
const MAX_UNPACKED_BYTES = 2_000_000;

let dir = "";
let installed = "";
let tarball = "";

// The package as its users get it: packed, and installed into a folder that knows nothing of this repository.
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-package-"));
  const { stdout } = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", dir]);
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  tarball = join(dir, filename);
  await install(dir);
  installed = join(dir, "node_modules", "pairwright");
}, 180_000);

/** Without what this repository's .npmrc says, and npm hands on to the tests in the environment: a user has neither. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_config_onnxruntime/i.test(name)));
const QUIETLY = ["--no-audit", "--no-fund", "--prefer-offline"];

/** Installs the package into a folder, as a user does. */
async function install(folder: string, ...flags: string[]): Promise<void> {
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "user", private: true }));
  await run("npm", ["install", ...QUIETLY, ...flags, tarball], { cwd: folder, env });
}

afterAll(async () => {
  if (dir !== "") await rm(dir, { recursive: true });
  await rm(`${dir}-bare`, { recursive: true, force: true });
});

/** A shipped model counts apart. */
async function bytesOf(folder: string): Promise<number> {
  const all = await readdir(folder, { recursive: true });
  const names = all.filter((name) => !name.includes("base-model"));
  const all_stats = await Promise.all(names.map((name) => stat(join(folder, name))));
  // What a file system keeps of a folder itself is no code.
  return all_stats.reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0);
}

test("the run-time tree and the unpacked code stay within their budgets", async () => {
  const { stdout } = await run("npm", ["ls", "--all", "--parseable", "--omit=dev"], { cwd: dir });
  const packages = new Set(stdout.trim().split("\n").slice(1));
  expect(packages.size).toBeGreaterThan(5);
  expect(packages.size).toBeLessThanOrEqual(MAX_PACKAGES);

  const bytes = await bytesOf(installed);
  expect(bytes).toBeGreaterThan(100_000);
  expect(bytes).toBeLessThanOrEqual(MAX_UNPACKED_BYTES);
});

test("no test and no build information is shipped", async () => {
  const names = await readdir(installed, { recursive: true });
  expect(names.filter((name) => /\.test\.|__fixtures__|tsbuildinfo/.test(name))).toEqual([]);
});

test("--help and --version answer from the installed package", async () => {
  const command = join(dir, "node_modules", ".bin", "pairwright");
  expect((await run(command, ["--help"])).stdout).toContain("collect [options] [config]");
  const { version } = JSON.parse(await readFile(join(installed, "package.json"), "utf8")) as { version: string };
  expect((await run(command, ["--version"])).stdout.trim()).toBe(version);
});

test("the quickstart makes pairs, copied out of the package into the user's folder", async () => {
  for (const name of ["quickstart.ts", "quickstart"]) {
    await cp(join(installed, "examples", name), join(dir, "examples", name), { recursive: true });
  }
  const server = await startModelServer({
    reply: ({ seed }) => (Number(seed) % 2 === 0 ? "It is so because it is." : "It is so."),
  });
  const { stdout } = await run(
    join(dir, "node_modules", ".bin", "pairwright"),
    ["collect", "examples/quickstart/config.yml", "--json", "--quiet"],
    { cwd: dir, env: { ...process.env, QUICKSTART_LLM_URL: server.url, QUICKSTART_LLM_NAME: "m" } },
  );
  await server.close();

  const result = JSON.parse(stdout) as { run_dir: string; pairs: number; completed: number };
  expect(result.completed).toBe(12);
  expect(result.pairs).toBeGreaterThan(5);
  const lines = (await readFile(join(dir, result.run_dir, "pairs.jsonl"), "utf8")).trim().split("\n");
  expect(lines).toHaveLength(result.pairs);
});

test("the engine trains from the installed package, at the latest after what its error says to type", async () => {
  // Its install step fetches more than is needed; where it cannot, npm leaves the optional package out without a word.
  if (!existsSync(join(dir, "node_modules", "onnxruntime-node"))) {
    await run("npm", ["install", ...QUIETLY, "onnxruntime-node@1.30", "--ignore-scripts"], { cwd: dir, env });
  }
  await using place = await trainingPlace();
  const { stdout } = await run(
    join(dir, "node_modules", ".bin", "pairwright"),
    ["train", "--model", place.model, "--dataset", place.dataset, "--output", place.output, "--epochs", "1", "--json"],
    { cwd: dir },
  );
  expect(JSON.parse(stdout)).toMatchObject({ steps: 12, model: place.output });
}, 120_000);

test("without the native library all but the engine works, and the engine says what to type", async () => {
  // Beside the other folder, not in it: Node looks for packages in the folders above, too.
  const bare = `${dir}-bare`;
  await mkdir(bare);
  await install(bare, "--omit=optional");
  expect(existsSync(join(bare, "node_modules", "onnxruntime-node"))).toBe(false);
  const command = join(bare, "node_modules", ".bin", "pairwright");
  expect((await run(command, ["info", "components"], { cwd: bare })).stdout).toContain("best_of_n_selection");

  await using place = await trainingPlace();
  const ended = await run(
    command,
    ["train", "--model", place.model, "--dataset", place.dataset, "--output", place.output],
    { cwd: bare },
  ).catch((error: unknown) => error);
  expect(ended).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /error\[engine_missing\].*\n {2}fix: npm install onnxruntime-node@1\.30 --ignore-scripts/,
    ),
  });
}, 120_000);
