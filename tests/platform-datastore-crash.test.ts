import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRandom } from "../src/lib/random.ts";
import { commitText, fileLine, hubAt, sha256 } from "../src/platform/datastore/__fixtures__/hub.ts";
import { startPairwright } from "./support/program.ts";

const KILLS = 3;
const CLIENTS = 6;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-crash-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function start() {
  const started = startPairwright(["platform", "start", "--port", "0", "--data", join(dir, "data"), "--json"], {
    cwd: dir,
  });
  const origin = await new Promise<string>((resolve, reject) => {
    started.child.stdout?.once("data", (text: string) => resolve(JSON.parse(text).entity_host));
    started.ended.then(({ stderr }) => reject(new Error(`the platform ended: ${stderr}`)), reject);
  });
  return { ...started, hub: hubAt(origin) };
}

type Hub = ReturnType<typeof hubAt>;

/** What one client was told is there: path -> SHA-256. */
type Told = Map<string, string>;

/** Uploads files two at a time, half of the pairs as large ones, until the server is gone. */
async function upload(hub: Hub, client: number, round: number, told: Told): Promise<number> {
  const random = seededRandom(round * CLIENTS + client);
  for (let step = 0; ; step += 1) {
    const files = ["a", "b"].map((name) => ({
      path: `client-${client}/${round}-${step}-${name}`,
      bytes: randomBytes(1 + Math.floor(random() * 400_000)),
    }));
    try {
      const lines = step % 2 === 0 ? files.map(({ path, bytes }) => fileLine(path, bytes)) : await uploaded(hub, files);
      const { status } = await hub.ask(
        "POST",
        "/api/datasets/ns/d/commit/main",
        commitText(`${round}-${step}`, ...lines),
      );
      expect(status).toBe(200);
    } catch (error) {
      if (error instanceof TypeError) return step;
      throw error;
    }
    for (const { path, bytes } of files) told.set(path, sha256(bytes));
  }
}

async function uploaded(hub: Hub, files: { path: string; bytes: Buffer }[]): Promise<object[]> {
  const objects = files.map(({ bytes }) => ({ oid: sha256(bytes), size: bytes.length }));
  const { body } = await hub.ask("POST", "/datasets/ns/d.git/info/lfs/objects/batch", { operation: "upload", objects });
  for (const [index, { actions }] of body.objects.entries()) {
    const { status } = await hub.ask("PUT", actions.upload.href, files[index]?.bytes);
    expect(status).toBe(200);
  }
  return files.map(({ path, bytes }) => ({
    key: "lfsFile",
    value: { path, algo: "sha256", oid: sha256(bytes), size: bytes.length },
  }));
}

test("a platform that is killed amid uploads has every commit it told of, whole, and no half one", {
  timeout: 60_000,
}, async () => {
  const random = seededRandom(17);
  const told: Told = new Map();
  let platform = await start();
  await platform.hub.create("ns/d");
  let cut = 0;
  for (let round = 0; round < KILLS; round += 1) {
    const { hub, child, ended } = platform;
    const clients = Array.from({ length: CLIENTS }, (_, client) => upload(hub, client, round, told));
    for (const before = told.size; told.size === before; ) await wait(5);
    setTimeout(() => child.kill("SIGKILL"), random() * 300);
    const steps = await Promise.all(clients);
    await ended;
    cut += steps.length;
    platform = await start();

    const paths = await platform.hub.paths("ns/d");
    const there = new Set(paths);
    expect([...told.keys()].filter((path) => !there.has(path))).toEqual([]);
    // Both files of a commit or neither; one that was not told of may be there, for its answer may have been lost.
    const pairs = (name: string) => paths.filter((path) => path.endsWith(name)).map((path) => path.slice(0, -2));
    expect(pairs("-a")).toEqual(pairs("-b"));
    expect(await readdir(join(dir, "data/blobs/tmp"))).toEqual([]);
  }
  expect(told.size).toBeGreaterThan(KILLS * 2);
  expect(cut).toBe(KILLS * CLIENTS);
  for (const [path, digest] of told) {
    const { bytes, status } = await platform.hub.ask("GET", `/datasets/ns/d/resolve/main/${path}`);
    expect([path, status, sha256(bytes)]).toEqual([path, 200, digest]);
  }
  const { body: commits } = await platform.hub.ask("GET", "/api/datasets/ns/d/commits/main?limit=1");
  expect(commits).toHaveLength(1);
  platform.child.kill("SIGINT");
  expect((await platform.ended).code).toBe(0);
});
