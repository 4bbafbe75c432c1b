import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startPairwright } from "../../support/program.ts";
import { type Call, countCalls } from "./call-counter.ts";

/** The example's base model, which the platform serves and trains without being told. */
export const BASE_MODEL = fileURLToPath(new URL("../../../examples/tic-tac-toe/base-model", import.meta.url));

/** The built program's platform in a process of its own, behind an address that counts what is asked. */
export interface RunningPlatform extends AsyncDisposable {
  /** To be asked by clients; every call is counted. */
  url: string;
  calls: readonly Call[];
  /** What the program has said so far. */
  said(): string;
}

const START_LIMIT_MS = 60_000;

/** Starts `pairwright platform start` on a free port and an empty data folder; disposing of it stops it and takes the folder away. */
export async function startRunningPlatform(args: readonly string[] = []): Promise<RunningPlatform> {
  const dir = await mkdtemp(join(tmpdir(), "pairwright-interop-platform-"));
  const data = join(dir, "data");
  const started = startPairwright(["platform", "start", "--port", "0", "--data", data, "--json", ...args], {
    cwd: dir,
  });
  let said = "";
  for (const stream of [started.child.stdout, started.child.stderr]) {
    stream?.on("data", (text: string) => {
      said += text;
    });
  }
  const stop = async () => {
    started.child.kill("SIGTERM");
    const kill = setTimeout(() => started.child.kill("SIGKILL"), 20_000);
    await started.ended;
    clearTimeout(kill);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const counter = await countCalls(await addressOf(started));
    return {
      url: counter.url,
      calls: counter.calls,
      said: () => said,
      async [Symbol.asyncDispose]() {
        await counter.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address in the one line of JSON that the program prints once it listens. */
function addressOf({ child, ended }: ReturnType<typeof startPairwright>): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("the platform has not said where it listens")), START_LIMIT_MS);
    let out = "";
    child.stdout?.on("data", (text: string) => {
      out += text;
      if (!out.includes("\n")) return;
      clearTimeout(late);
      resolve((JSON.parse(out) as { entity_host: string }).entity_host);
    });
    ended.then(({ code, stderr }) => {
      clearTimeout(late);
      reject(new Error(`the platform ended with ${code}: ${stderr}`));
    }, reject);
  });
}
