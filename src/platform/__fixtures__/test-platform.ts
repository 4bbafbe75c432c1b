import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PlatformOptions, startPlatform } from "../start-platform.ts";

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint: tests look into answers of every shape
  body: any;
}

export type TestPlatform = Awaited<ReturnType<typeof startTestPlatform>>;

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };

/**
 * A platform on any free port with a folder of its own, which goes when it stops unless it is to be kept. `start` is that
 * of the built package where processes of its own are to start quickly.
 */
export async function startTestPlatform(options: Partial<PlatformOptions> = {}, start = startPlatform) {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "pairwright-platform-")));
  const platform = await start({ port: 0, host: "127.0.0.1", log: silent, ...options, dir });
  return {
    dir,
    origin: platform.origin,
    async stop({ keep = false } = {}) {
      await platform.stop();
      if (!keep) await rm(dir, { recursive: true, force: true });
    },
    /** A request with a JSON body, or a text as it is, and its JSON answer. */
    async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
      const answer = await fetch(platform.origin + path, {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) };
    },
  };
}
