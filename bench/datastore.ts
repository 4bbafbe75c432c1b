/**
 * The platform's Datastore over real HTTP on the loopback address: a file of 1 GB up (the bytes alone by Git LFS, and as
 * base64 within a commit) and down, in MB/s with the server's processor time and memory; and 10,000 entities listed.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { request } from "node:http";
import { fileURLToPath } from "node:url";
import { machine } from "./machine.ts";

const BYTES = 2 ** 30;
const ENTITIES = 10_000;
const CLIENTS = 64;
const CLIENT_BYTES = 4 * 2 ** 20;
const dir = ".tmp/bench/datastore";
const repo = { type: "dataset", organization: "bench", name: "large" };
const id = `${repo.organization}/${repo.name}`;

interface Stats {
  rss_mb: number;
  /** Since the last time it was asked for. */
  peak_mb: number;
  cpu_seconds: number;
}

const piece = randomFillSync(Buffer.alloc(3 * 2 ** 21));

/** A buffer over and over, each time with its place in it: the same bytes whenever they are asked for, and nowhere twice. */
function* bytes(): Generator<Buffer> {
  for (let done = 0; done < BYTES; done += piece.length) {
    const part = Buffer.from(piece.subarray(0, Math.min(piece.length, BYTES - done)));
    part.writeDoubleLE(done, 0);
    yield part;
  }
}

function ask<T>(server: ChildProcess): Promise<T> {
  return new Promise((resolve) => server.once("message", (message) => resolve(message as T)));
}

async function stats(server: ChildProcess): Promise<Stats> {
  const answer = ask<Stats>(server);
  server.send("stats");
  return answer;
}

async function call(url: string, body?: unknown, headers: Record<string, string> = {}): Promise<unknown> {
  const answer = await fetch(url, {
    method: body === undefined ? "GET" : "POST",
    headers: { "content-type": "application/json", ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

/** Plain node:http, which costs the sender least: the server is what is measured. */
function send(
  url: string,
  method: string,
  pieces: Iterable<Buffer | string>,
  headers: Record<string, string | number>,
) {
  return new Promise<void>((resolve, reject) => {
    const outgoing = request(url, { method, headers }, (incoming) => {
      let text = "";
      incoming.on("data", (chunk) => {
        text += chunk;
      });
      incoming.on("end", () => {
        if (incoming.statusCode === 200) resolve();
        else reject(new Error(`${url}: ${incoming.statusCode} ${text}`));
      });
    });
    outgoing.on("error", reject);
    void (async () => {
      for (const piece of pieces) {
        if (!outgoing.write(piece)) await new Promise((drained) => outgoing.once("drain", drained));
      }
      outgoing.end();
    })();
  });
}

function receive(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, (incoming) => {
      let size = 0;
      incoming.on("data", (chunk: Buffer) => {
        size += chunk.length;
      });
      incoming.on("end", () => resolve(size));
    })
      .on("error", reject)
      .end();
  });
}

async function timed(server: ChildProcess, title: string, size: number, work: () => Promise<unknown>): Promise<void> {
  const before = await stats(server);
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  const after = await stats(server);
  const rate = `${(size / 1e6 / seconds).toFixed(0)} MB/s`;
  const cpu = `${(after.cpu_seconds - before.cpu_seconds).toFixed(2)} s of the server's processor`;
  console.log(
    `${title.padEnd(28)} ${seconds.toFixed(2)} s = ${rate} | ${cpu} | peak ${after.peak_mb.toFixed(0)} MB (+${(after.peak_mb - before.rss_mb).toFixed(0)})`,
  );
}

function* base64Commit(): Generator<Buffer | string> {
  yield `${JSON.stringify({ key: "header", value: { summary: "regular" } })}\n{"key": "file", "value": {"content": "`;
  // Pieces of a multiple of three bytes, so that their base64 can be put one behind the other.
  for (const part of bytes()) yield Buffer.from(part.toString("base64"), "latin1");
  yield `", "path": "regular.bin", "encoding": "base64"}}\n`;
}

async function uploadLarge(hub: string, sha256: string): Promise<void> {
  const objects = [{ oid: sha256, size: BYTES }];
  const batch = `${hub}/datasets/${id}.git/info/lfs/objects/batch`;
  const answer = (await call(batch, { operation: "upload", objects })) as {
    objects: { actions: { upload: { href: string } } }[];
  };
  const href = answer.objects[0]?.actions.upload.href ?? "";
  await send(href, "PUT", bytes(), { "content-length": BYTES });
  const lines = [
    { key: "header", value: { summary: "lfs" } },
    { key: "lfsFile", value: { path: "lfs.bin", algo: "sha256", oid: sha256, size: BYTES } },
  ];
  await call(`${hub}/api/datasets/${id}/commit/main`, lines.map((line) => JSON.stringify(line)).join("\n"));
}

/** Each into a repository of its own: base64 in a commit, 4 MB. */
async function manyAtOnce(hub: string): Promise<void> {
  const bodies = Array.from({ length: CLIENTS }, (_, client) => {
    const bytes = Buffer.from(piece.subarray(0, CLIENT_BYTES));
    bytes.writeDoubleLE(client, 0);
    const value = { content: bytes.toString("base64"), path: "file", encoding: "base64" };
    return [
      { key: "header", value: { summary: "many" } },
      { key: "file", value },
    ].map((line) => JSON.stringify(line));
  });
  await Promise.all(
    bodies.map(async (lines, client) => {
      await call(`${hub}/api/repos/create`, { ...repo, name: `own-${client}` });
      await call(`${hub}/api/datasets/bench/own-${client}/commit/main`, lines.join("\n"));
    }),
  );
}

async function list(origin: string): Promise<void> {
  const spec = { context_size: 4096, is_chat: true, num_parameters: 1, num_virtual_tokens: 0 };
  for (let from = 0; from < ENTITIES; from += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        call(`${origin}/v1/models`, { name: `m-${from + index}`, base_model: "meta/base", spec }),
      ),
    );
  }
  const times: number[] = [];
  for (let page = 1; page <= ENTITIES / 1000; page += 1) {
    const began = performance.now();
    const { data } = (await call(`${origin}/v1/models?page_size=1000&page=${page}`)) as { data: unknown[] };
    times.push(performance.now() - began);
    if (data.length !== 1000) throw new Error(`page ${page} has ${data.length} entities`);
  }
  times.sort((a, b) => a - b);
  const [least, middle, most] = [times[0], times[times.length >> 1], times.at(-1)].map((ms) => ms?.toFixed(0));
  console.log(`${ENTITIES} entities, a page of 1,000: ${least} to ${most} ms, ${middle} ms in the middle`);
}

console.log(`the Datastore, ${BYTES / 2 ** 30} GiB (${machine()})`);
await rm(dir, { recursive: true, force: true });
await mkdir(dir, { recursive: true });
const server = fork(fileURLToPath(new URL("./datastore-server.ts", import.meta.url)), [dir], {
  execArgv: ["--import", import.meta.resolve("jiti/register")],
});
const { origin } = await ask<{ origin: string }>(server);
const hub = `${origin}/v1/hf`;
await call(`${hub}/api/repos/create`, repo);
const digest = createHash("sha256");
for (const part of bytes()) digest.update(part);
await timed(server, "up, the bytes alone (LFS)", BYTES, () => uploadLarge(hub, digest.digest("hex")));
await timed(server, "down", BYTES, () => receive(`${hub}/datasets/${id}/resolve/main/lfs.bin`));
const commit = `${hub}/api/datasets/${id}/commit/main`;
await timed(server, "up, base64 in a commit", BYTES, () =>
  send(commit, "POST", base64Commit(), { "content-type": "application/x-ndjson" }),
);
await timed(server, `${CLIENTS} clients, 4 MiB each`, CLIENTS * CLIENT_BYTES, () => manyAtOnce(hub));
await list(origin);
server.disconnect();
await new Promise((resolve) => server.once("exit", resolve));
await rm(dir, { recursive: true, force: true });
