import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestPlatform } from "../src/platform/__fixtures__/test-platform.ts";

// As it is built: a platform that is started from its source takes seconds to begin.
const BUILT = new URL("../dist/pipeline/embedded-platform.js", import.meta.url).href;
type Use = typeof import("../src/pipeline/embedded-platform.ts").useEmbeddedPlatform;
let useEmbeddedPlatform: Use;

let base = "";
beforeAll(async () => {
  ({ useEmbeddedPlatform } = (await import(BUILT)) as { useEmbeddedPlatform: Use });
  base = await mkdtemp(join(tmpdir(), "pairwright-embedded-"));
});
afterAll(() => rm(base, { recursive: true, force: true }));

async function pidIn(dir: string): Promise<number> {
  return (JSON.parse(await readFile(join(dir, "platform.json"), "utf8")) as { pid: number }).pid;
}

async function ends(pid: number, limit_ms = 15_000): Promise<boolean> {
  for (const until = Date.now() + limit_ms; Date.now() < until; await wait(50)) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
  }
  return false;
}

test("two users at the same moment get one platform, which ends when both have left, one of them by a crash", async () => {
  const dir = join(base, "shared");
  // A user in a process of its own, built as it is shipped.
  const script = `
    import { useEmbeddedPlatform } from ${JSON.stringify(BUILT)};
    const { origin } = await useEmbeddedPlatform({ dir: ${JSON.stringify(dir)}, models: {} });
    process.stdout.write(origin);
    setInterval(() => undefined, 1000);
  `;
  const other = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [mine, [theirs]] = await Promise.all([useEmbeddedPlatform({ dir, models: {} }), once(other.stdout, "data")]);

  expect(String(theirs)).toBe(mine.origin);
  expect(mine.origin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const pid = await pidIn(dir);
  expect(pid).not.toBe(process.pid);
  mine.release();
  await wait(500);
  expect((await fetch(`${mine.origin}/health`)).status).toBe(200);

  other.kill("SIGKILL");
  expect(await ends(pid)).toBe(true);
  expect(existsSync(join(dir, "platform.json"))).toBe(false);
}, 60_000);

test("a platform that runs already is used, and goes on when its user has left", async () => {
  const platform = await startTestPlatform();
  try {
    const used = await useEmbeddedPlatform({ dir: platform.dir, models: {} });
    expect(used).toMatchObject({ origin: platform.origin, started: false });
    used.release();
    await expect(
      useEmbeddedPlatform({ dir: platform.dir, models: { "meta/none@v1+A100": "/nowhere" } }),
    ).rejects.toMatchObject({ code: "platform_lacks_model", exit_code: 2 });
  } finally {
    await platform.stop();
  }
});

test("a model's folder is the one that was asked for, not another one of the same name, nor one of an earlier start", async () => {
  const example = resolve("examples/tic-tac-toe/base-model");
  const copy = join(base, "copy");
  await cp(example, copy, { recursive: true });
  const name = "local/player@v1.0.0+CPU";
  const first = await startTestPlatform({ models: [`${name}=${example}`] });
  const { dir } = first;
  const use = (folder: string) => useEmbeddedPlatform({ dir, models: { [name]: folder } });
  (await use(example)).release();
  await expect(use(copy)).rejects.toMatchObject({ code: "platform_lacks_model" });
  await first.stop({ keep: true });

  const second = await startTestPlatform({ dir, models: [`other=${copy}`] });
  try {
    await expect(use(example)).rejects.toMatchObject({ code: "platform_lacks_model" });
  } finally {
    await second.stop();
  }
});

test("a platform that is stopping is waited for, and another one takes its place", async () => {
  const dir = join(base, "stopping");
  const ending = spawn(process.execPath, ["-e", "setTimeout(() => undefined, 3000)"]);
  await mkdir(dir);
  await writeFile(join(dir, "platform.lock"), `${ending.pid} ${hostname()} other`);
  const used = await useEmbeddedPlatform({ dir, models: {} });
  expect(ending.exitCode).toBe(0);
  expect(used.started).toBe(true);
  const pid = await pidIn(dir);
  used.release();
  expect(await ends(pid)).toBe(true);
}, 30_000);

test("a platform that asks for a token says so to who has none", async () => {
  const platform = await startTestPlatform({ token: "a-token-for-tests" });
  try {
    const { dir } = platform;
    await expect(useEmbeddedPlatform({ dir, models: {} })).rejects.toMatchObject({ code: "platform_needs_token" });
    const used = await useEmbeddedPlatform({ dir, models: {}, token: "a-token-for-tests" });
    used.release();
  } finally {
    await platform.stop();
  }
});

test("what a killed platform left is no platform, and one that cannot start says why", async () => {
  const dir = join(base, "broken");
  await writeFile(join(base, "broken"), "a file where the folder should be");
  const unusable = { code: "data_folder_unusable", exit_code: 2 };
  await expect(useEmbeddedPlatform({ dir, models: {} })).rejects.toMatchObject(unusable);
  await expect(useEmbeddedPlatform({ dir: join(dir, "below"), models: {} })).rejects.toMatchObject(unusable);
  await rm(dir);

  const started = await useEmbeddedPlatform({ dir, models: {} });
  const pid = await pidIn(dir);
  process.kill(pid, "SIGKILL");
  expect(await ends(pid)).toBe(true);
  expect(existsSync(join(dir, "platform.json"))).toBe(true);
  started.release();
  const again = await useEmbeddedPlatform({ dir, models: {} });
  expect(again.started).toBe(true);
  expect(await pidIn(dir)).not.toBe(pid);
  again.release();
  expect(await ends(await pidIn(dir))).toBe(true);
}, 60_000);
