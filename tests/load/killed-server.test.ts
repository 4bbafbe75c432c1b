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
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
  await rm(`${dir}-undisturbed`, { recursive: true, force: true });
});

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

/** Waits until so many more commits and an upload are acknowledged. */
async function acknowledgedMore({ commits, uploads }: Acknowledged, more: number): Promise<void> {
  const [commitsBefore, uploadsBefore] = [commits.size, uploads.size];
  while (commits.size < commitsBefore + more || uploads.size === uploadsBefore) await wait(5);
}

const PAIRS = 48;

/** Files a small data set and begins to train on it. Gives the job's id. */
async function beginJob(origin: string): Promise<string> {
  const post = async (path: string, body: unknown) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const answer = await fetch(origin + path, { method: "POST", body: text });
    const made = (await answer.json()) as { id: string };
    expect([path, answer.status, made]).toEqual([path, 200, expect.anything()]);
    return made;
  };
  await post("/v1/hf/api/repos/create", { name: "pairs", organization: "default", type: "dataset" });
  const rows = Array.from({ length: PAIRS }, (_, index) =>
    JSON.stringify({ prompt: `Name ${index}.`, chosen_response: `It is ${index}.`, rejected_response: `No ${index}!` }),
  );
  const content = Buffer.from(rows.join("\n")).toString("base64");
  const file = { path: "training/training_file.jsonl", encoding: "base64", content };
  const lines = [
    { key: "header", value: { summary: "pairs" } },
    { key: "file", value: file },
    { key: "file", value: { ...file, path: "validation/validation_file.jsonl" } },
  ];
  const body = lines.map((line) => JSON.stringify(line)).join("\n");
  await post("/v1/hf/api/datasets/default/pairs/commit/main", body);
  await post("/v1/datasets", { name: "pairs", files_url: "hf://datasets/default/pairs" });
  const job = await post("/v1/customization/jobs", {
    config: "local/tic-tac-toe@v1.0.0+CPU",
    dataset: "default/pairs",
    output_model: "default/trained@v1",
    hyperparameters: {
      ...{ training_type: "dpo", finetuning_type: "all_weights", batch_size: 8, learning_rate: 1e-3, seed: 3 },
      epochs: size(6, 60),
    },
  });
  return job.id;
}

/** The SHA-256 of the weights that the job came to. */
async function weightsOf(origin: string, id: string): Promise<string | undefined> {
  for (const until = Date.now() + 600_000; Date.now() < until; await wait(100)) {
    const status = (await (await fetch(`${origin}/v1/customization/jobs/${id}/status`)).json()) as { status: string };
    if (status.status === "completed") break;
    expect(["created", "pending", "running"]).toContain(status.status);
  }
  const answer = await fetch(`${origin}/v1/hf/api/models/default/trained/tree/v1?recursive=true`);
  const files = (await answer.json()) as { path: string; lfs?: { oid: string }; oid: string }[];
  const weights = files.find(({ path }) => path === "model.safetensors");
  return weights?.lfs?.oid ?? weights?.oid;
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

test(`a server that is killed ${ROUNDS} times in the middle of writes loses nothing that it acknowledged, shows no half commit, and trains as if nothing had been`, async () => {
  const known: Acknowledged = { namespaces: new Set(), commits: new Map(), uploads: new Map() };
  const random = seededRandom(7);
  let server: PlatformProcess = await startPlatformProcess(dir);
  const created = await fetch(`${server.origin}/v1/hf/api/repos/create`, {
    method: "POST",
    body: JSON.stringify({ name: "killed", organization: "default", type: "dataset" }),
  });
  expect(created.status).toBe(200);
  const job = await beginJob(server.origin);
  for (let round = 0; round < ROUNDS; round += 1) {
    const { origin } = server;
    const clients = Promise.allSettled([
      makeNamespaces(origin, `n${round}`, known),
      makeCommits(origin, `c${round}`, known),
      makeCommits(origin, `d${round}`, known),
      makeUploads(origin, round, known),
    ]);
    await acknowledgedMore(known, 1 + Math.floor(random() * 4));
    await wait(Math.floor(random() * 200));
    await server.kill();
    await clients;
    server = await startPlatformProcess(dir);
    expect((await check(server.origin, known)).half).toBe(0);
  }
  const trained = await weightsOf(server.origin, job);
  expect(trained).toMatch(/^[0-9a-f]{40,64}$/);
  const { files } = await check(server.origin, known);
  expect(files).toBeGreaterThan(ROUNDS);
  expect(known.namespaces.size).toBeGreaterThan(ROUNDS);
  expect(known.commits.size).toBeGreaterThan(0);
  expect(known.uploads.size).toBeGreaterThan(0);
  expect(await server.stop()).toBe(0);
  // What killed uploads left is gone after a start.
  const left = (await readdir(dir, { recursive: true })).filter((name) => /partial|\.tmp/.test(name));
  expect(left).toEqual([]);

  const undisturbed = await startPlatformProcess(`${dir}-undisturbed`);
  expect(await weightsOf(undisturbed.origin, await beginJob(undisturbed.origin))).toBe(trained);
  await undisturbed.stop();
}, 3_600_000);
