import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRandom } from "../../src/lib/random.ts";
import { size } from "./long.ts";
import { type PlatformProcess, startPlatformProcess } from "./platform-process.ts";

const ROUNDS = size(4, 50);
let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-killed-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** What clients were told is there. */
interface Acknowledged {
  namespaces: Set<string>;
  /** Commit of a repository: each has two files whose text names it. */
  commits: Map<string, string>;
  /** Large file -> SHA-256. */
  uploads: Map<string, string>;
}

/** Makes namespaces until the server is gone. */
async function makeNamespaces(origin: string, prefix: string, known: Acknowledged): Promise<void> {
  for (let index = 0; ; index += 1) {
    const id = `${prefix}-${index}`;
    const answer = await fetch(`${origin}/v1/namespaces`, { method: "POST", body: JSON.stringify({ id }) });
    if (answer.ok) known.namespaces.add(id);
    await answer.arrayBuffer();
  }
}

/** Commits two files at a time that belong together, until the server is gone. */
async function makeCommits(origin: string, prefix: string, known: Acknowledged): Promise<void> {
  for (let index = 0; ; index += 1) {
    const text = `${prefix}-${index}`;
    const file = (path: string) => ({
      key: "file",
      value: { path, encoding: "base64", content: Buffer.from(`${text}\n`.repeat(2000)).toString("base64") },
    });
    const lines = [{ key: "header", value: { summary: text } }, file(`${text}/a.txt`), file(`${text}/b.txt`)];
    const answer = await fetch(`${origin}/v1/hf/api/datasets/default/killed/commit/main`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: lines.map((line) => JSON.stringify(line)).join("\n"),
    });
    const { commitOid } = (await answer.json()) as { commitOid?: string };
    if (answer.ok && commitOid !== undefined) known.commits.set(text, commitOid);
  }
}

/** Uploads large files the LFS way until the server is gone. */
async function makeUploads(origin: string, seed: number, known: Acknowledged): Promise<void> {
  const random = seededRandom(seed);
  for (let index = 0; ; index += 1) {
    const bytes = Buffer.alloc(200_000 + Math.floor(random() * 2_000_000), `${seed}-${index} `);
    const oid = createHash("sha256").update(bytes).digest("hex");
    const path = `large/${seed}-${index}.bin`;
    const batch = await fetch(`${origin}/v1/hf/datasets/default/killed.git/info/lfs/objects/batch`, {
      method: "POST",
      body: JSON.stringify({ operation: "upload", transfers: ["basic"], objects: [{ oid, size: bytes.length }] }),
    });
    const { objects } = (await batch.json()) as { objects: { actions?: { upload?: { href: string } } }[] };
    const href = objects[0]?.actions?.upload?.href;
    if (href !== undefined) await (await fetch(href, { method: "PUT", body: bytes })).arrayBuffer();
    const lines = [
      { key: "header", value: { summary: path } },
      { key: "lfsFile", value: { path, algo: "sha256", oid, size: bytes.length } },
    ];
    const answer = await fetch(`${origin}/v1/hf/api/datasets/default/killed/commit/main`, {
      method: "POST",
      body: lines.map((line) => JSON.stringify(line)).join("\n"),
    });
    await answer.arrayBuffer();
    if (answer.ok) known.uploads.set(path, oid);
  }
}

async function check(origin: string, known: Acknowledged): Promise<{ half: number; files: number }> {
  const namespaces = new Set<string>();
  for (let page = 1; ; page += 1) {
    const answer = await fetch(`${origin}/v1/namespaces?page=${page}`);
    const { data } = (await answer.json()) as { data: { id: string }[] };
    if (data.length === 0) break;
    for (const { id } of data) namespaces.add(id);
  }
  expect([...known.namespaces].filter((id) => !namespaces.has(id))).toEqual([]);

  const files = new Map<string, string>();
  let next: string | undefined = `${origin}/v1/hf/api/datasets/default/killed/tree/main?recursive=true`;
  while (next !== undefined) {
    const answer: Response = await fetch(next);
    const entries = (await answer.json()) as { type: string; path: string; oid: string; lfs?: { oid: string } }[];
    for (const { type, path, oid, lfs } of entries) if (type === "file") files.set(path, lfs?.oid ?? oid);
    next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  const missing = [...known.commits.keys()].filter(
    (text) => !files.has(`${text}/a.txt`) || !files.has(`${text}/b.txt`),
  );
  expect(missing).toEqual([]);
  for (const path of known.uploads.keys()) expect([path, files.has(path)]).toEqual([path, true]);
  // A sample of contents, the newest of each kind: what was acknowledged last is what could be lost.
  for (const text of [...known.commits.keys()].slice(-3)) {
    const answer = await fetch(`${origin}/v1/hf/datasets/default/killed/resolve/main/${text}/b.txt`);
    expect(await answer.text()).toBe(`${text}\n`.repeat(2000));
  }
  for (const [path, oid] of [...known.uploads].slice(-3)) {
    const answer = await fetch(`${origin}/v1/hf/datasets/default/killed/resolve/main/${path}`);
    const digest = createHash("sha256").update(Buffer.from(await answer.arrayBuffer()));
    expect([path, digest.digest("hex")]).toEqual([path, oid]);
  }
  const half = [...files.keys()].filter(
    (path) => path.endsWith("/a.txt") && !files.has(path.replace(/a\.txt$/, "b.txt")),
  );
  return { half: half.length, files: files.size };
}

test(`a server that is killed ${ROUNDS} times in the middle of writes loses nothing that it acknowledged, and shows no half commit`, async () => {
  const known: Acknowledged = { namespaces: new Set(), commits: new Map(), uploads: new Map() };
  const random = seededRandom(7);
  let server: PlatformProcess = await startPlatformProcess(dir);
  const created = await fetch(`${server.origin}/v1/hf/api/repos/create`, {
    method: "POST",
    body: JSON.stringify({ name: "killed", organization: "default", type: "dataset" }),
  });
  expect(created.status).toBe(200);
  for (let round = 0; round < ROUNDS; round += 1) {
    const { origin } = server;
    const clients = Promise.allSettled([
      makeNamespaces(origin, `n${round}`, known),
      makeCommits(origin, `c${round}`, known),
      makeCommits(origin, `d${round}`, known),
      makeUploads(origin, round, known),
    ]);
    await wait(50 + Math.floor(random() * 400));
    await server.kill();
    await clients;
    server = await startPlatformProcess(dir);
    expect((await check(server.origin, known)).half).toBe(0);
  }
  const { files } = await check(server.origin, known);
  expect(files).toBeGreaterThan(ROUNDS);
  expect(known.namespaces.size).toBeGreaterThan(ROUNDS);
  expect(known.commits.size).toBeGreaterThan(0);
  expect(known.uploads.size).toBeGreaterThan(0);
  expect(await server.stop()).toBe(0);
  // What killed uploads left is gone after a start.
  const left = (await readdir(dir, { recursive: true })).filter((name) => /partial|\.tmp/.test(name));
  expect(left).toEqual([]);
}, 3_600_000);
