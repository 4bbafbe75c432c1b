import { spawn } from "node:child_process";
import { readFile, realpath } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../lib/clock.ts";
import { makeDataDir } from "../lib/data-dir.ts";
import { codeOf, EXIT, PairwrightError } from "../lib/errors.ts";
import { isAlive } from "../lib/is-alive.ts";
import { refuseWhileLocked } from "../lib/lock.ts";
import { isNamed } from "./config-names.ts";
import { openPlatformLog, type PlatformLog } from "./platform-log.ts";

export interface EmbeddedPlatformOptions {
  /** The platform's data folder. */
  dir: string;
  /** Models that it must have: a configuration's name (`ns/name@version+type`) -> the model's folder. */
  models: Readonly<Record<string, string>>;
  /** What a platform asks for that listens beyond the loopback address. */
  token?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** The platform of this machine, for as long as this process uses it. */
export interface EmbeddedPlatform {
  /** `http://127.0.0.1:8711`. */
  origin: string;
  /** Whether it was started for this user, rather than found. */
  started: boolean;
  /** Lets it go: a platform that was started for its users ends when the last one has left. It does so too when the process ends. */
  release(): void;
}

const START_LIMIT_MS = 60_000;
const OTHERS_LIMIT_MS = 2000;
const ANSWER_LIMIT_MS = 5000;

/**
 * Finds the platform that uses a data folder, or starts one as a process of its own. Errors: `platform_not_started` with
 * what it said, `platform_lacks_model`, `platform_needs_token`, `data_folder_unusable`.
 */
export async function useEmbeddedPlatform(options: EmbeddedPlatformOptions): Promise<EmbeddedPlatform> {
  const { dir, signal } = options;
  const { now, sleep } = systemClock;
  await makeDataDir(dir);
  let until = now() + START_LIMIT_MS;
  let ended: number | null | undefined;
  let log: PlatformLog | undefined;
  for (let started = false; ; ) {
    const origin = await originIn(dir);
    const release = origin === undefined ? undefined : await hold(origin, options);
    if (origin !== undefined && release !== undefined) {
      await checkModels(origin, options).catch((error: unknown) => {
        release();
        throw error;
      });
      return { origin, started, release };
    }
    // One that begins says soon where it is; one that is ending is waited for.
    if (!started && !(await isTaken(dir))) {
      started = true;
      log = start(options, (code) => {
        ended = code;
        // It ends, too, when another process started one in the same moment, which has yet to say where.
        until = Math.min(until, now() + OTHERS_LIMIT_MS);
      });
    } else if (now() > until) throw notStarted(dir, ended, log);
    await sleep(50, signal);
  }
}

/** Whether a living process has the data folder. */
async function isTaken(dir: string): Promise<boolean> {
  try {
    await refuseWhileLocked(join(dir, "platform.lock"));
    return false;
  } catch (error) {
    if (codeOf(error) === "locked") return true;
    throw error;
  }
}

/** Where the platform is that uses a data folder; undefined where none runs. Starts nothing, and keeps none running. */
export async function findEmbeddedPlatform(dir: string): Promise<string | undefined> {
  const origin = await originIn(dir);
  if (origin === undefined) return undefined;
  const answer = await fetch(`${origin}/health`, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) }).catch(
    () => undefined,
  );
  return answer?.ok ? origin : undefined;
}

async function originIn(dir: string): Promise<string | undefined> {
  try {
    const { origin, pid } = JSON.parse(await readFile(join(dir, "platform.json"), "utf8")) as Record<string, unknown>;
    return typeof origin === "string" && typeof pid === "number" && isAlive(pid) ? origin : undefined;
  } catch {
    return undefined;
  }
}

/** Says that this process uses the platform; undefined where nothing answers there. The connection keeps no process alive. */
function hold(origin: string, { token }: EmbeddedPlatformOptions): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(`${origin}/pairwright/lease`, {
      agent: false,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      timeout: ANSWER_LIMIT_MS,
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(undefined));
    asked.on("response", (answer) => {
      asked.setTimeout(0);
      if (answer.statusCode === 401) {
        asked.destroy();
        reject(needsToken(origin));
      } else if (answer.statusCode !== 200) {
        asked.destroy();
        resolve(undefined);
      } else {
        answer.on("error", () => undefined);
        answer.resume();
        answer.socket.unref();
        resolve(() => asked.destroy());
      }
    });
    asked.end();
  });
}

/**
 * A platform that was there before may have been started with other models. A name is as short as for the platform itself,
 * which has put in what it lacks.
 */
async function checkModels(origin: string, options: EmbeddedPlatformOptions): Promise<void> {
  const { dir, models } = options;
  if (Object.keys(models).length === 0) return;
  const known = await configsAt(origin, options);
  for (const [name, folder] of Object.entries(models)) {
    const named = known.filter(({ full_name, enabled }) => enabled && isNamed(full_name, name));
    const same = await Promise.all(named.map(({ model_path }) => isSameFolder(model_path, folder)));
    if (same.includes(true)) continue;
    const there = known.map(({ full_name }) => full_name).join(", ");
    throw new PairwrightError({
      code: "platform_lacks_model",
      where: `platform.models.${name}`,
      what: `the platform that runs on ${dir} was started without this model, or with another folder for it; it has ${there || "no models"}`,
      fix: `stop it, so that one with all models is started; or start it with --models ${name}=${folder}`,
      exit_code: EXIT.usage,
    });
  }
}

/** The platform's customization configs: `ns/name@version+machine`, and what of their targets counts. */
async function configsAt(origin: string, { token, signal }: EmbeddedPlatformOptions) {
  const answer = await fetch(`${origin}/v1/customization/configs?page_size=1000`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    signal: AbortSignal.any([AbortSignal.timeout(ANSWER_LIMIT_MS), ...(signal ? [signal] : [])]),
  });
  const { data = [] } = (await answer.json()) as { data?: { [field: string]: unknown }[] };
  return data.map(({ namespace, name, target }) => {
    const { enabled, model_path } = (target ?? {}) as { [field: string]: unknown };
    return { full_name: `${namespace}/${name}`, enabled: enabled !== false, model_path };
  });
}

async function isSameFolder(one: unknown, other: string): Promise<boolean> {
  if (typeof one !== "string") return false;
  const [here, there] = await Promise.all([one, other].map((path) => realpath(path).catch(() => path)));
  return here === there;
}

/** Starts a platform that outlives this process while others use it. What it says goes to `platform.log`. */
function start({ dir, models }: EmbeddedPlatformOptions, onExit: (code: number | null) => void): PlatformLog {
  const log = openPlatformLog(dir);
  const built = import.meta.url.endsWith(".js");
  const program = fileURLToPath(new URL(built ? "../cli/main.js" : "../cli/main.ts", import.meta.url));
  const flags = Object.entries(models).flatMap(([name, folder]) => ["--models", `${name}=${folder}`]);
  const child = spawn(
    process.execPath,
    [
      ...(built ? [] : ["--import", import.meta.resolve("jiti/register")]),
      ...[program, "platform", "start", "--data", dir, "--until-unused", ...flags],
    ],
    { detached: true, stdio: ["ignore", log.fd, log.fd] },
  );
  log.close();
  child.once("error", () => onExit(EXIT.internal));
  child.once("exit", onExit);
  child.unref();
  return log;
}

function notStarted(dir: string, code: number | null | undefined, log: PlatformLog | undefined): PairwrightError {
  const said = log?.said().split("\n").slice(-5).join("\n") ?? "";
  return new PairwrightError({
    code: "platform_not_started",
    where: dir,
    what: `the embedded platform ${code === undefined ? "did not answer in time" : `ended with ${code}`}${said === "" ? "" : `: ${said}`}`,
    fix: `see ${join(dir, "platform.log")}, or start it yourself: pairwright platform start`,
    exit_code: EXIT.unreachable,
  });
}

function needsToken(origin: string): PairwrightError {
  return new PairwrightError({
    code: "platform_needs_token",
    where: origin,
    what: "the platform that runs there asks for a token",
    fix: "set PAIRWRIGHT_PLATFORM_TOKEN to the one that it was started with",
    exit_code: EXIT.usage,
  });
}
