import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  createRepo,
  deleteFile,
  deleteRepo,
  downloadFile,
  fileExists,
  listFiles,
  repoExists,
  snapshotDownload,
  uploadFiles,
} from "@huggingface/hub";
import { afterEach, describe, expect, test, vi } from "vitest";
import { startTestPlatform, type TestPlatform } from "../src/platform/__fixtures__/test-platform.ts";
import { commitText, fileLine, hubAt, sha256 } from "../src/platform/datastore/__fixtures__/hub.ts";

const opened: TestPlatform[] = [];
afterEach(async () => {
  for (const platform of opened.splice(0)) await platform.stop();
});

async function platform(options: { token?: string } = {}): Promise<TestPlatform> {
  const started = await startTestPlatform(options);
  opened.push(started);
  return started;
}

// What clients sent to a stand-in lies beside a checkout, where it is; it is no part of it.
const TRAFFIC = resolve("../shared/reference/hub-traffic");
const recordings = existsSync(TRAFFIC) ? readdirSync(TRAFFIC).filter((name) => name.endsWith(".jsonl")) : [];

interface Exchange {
  m: string;
  url: string;
  h: Record<string, string>;
  body?: string;
  status: number;
  resHeaders: Record<string, string | number>;
  res?: string;
}

/**
 * A request's body as it was: recordings cut long ones. Theirs hold the same row fifty times, Python's written with
 * spaces; the length tells that nothing else was there.
 */
function bodyOf({ m, h, body = "" }: Exchange): string {
  const length = Number(h["content-length"] ?? 0);
  const row = { prompt: "p", chosen_response: "a", rejected_response: "b" };
  const rows = `${JSON.stringify(row)}\n`.repeat(50);
  if (m === "PUT" && body.startsWith("<")) return rows;
  if (Buffer.byteLength(body) === length) return body;
  const spaced = h["user-agent"]?.includes("hf_hub") === true;
  const text = (plain: string) => (spaced ? plain.replaceAll(/([:,])(?=["{])/g, "$1 ") : plain);
  const content = Buffer.from(text(rows)).toString("base64");
  const start = body.slice(0, body.indexOf(content.slice(0, 20)));
  const whole = ["training/training_file.jsonl", "f/training/training_file.jsonl"]
    .map((path) => `${start}${content}${text(`","path":"${path}","encoding":"base64"}}`)}${spaced ? "\n" : ""}`)
    .find((candidate) => Buffer.byteLength(candidate) === length);
  if (whole === undefined) throw new Error(`the recording's body of ${length} bytes cannot be made whole`);
  return whole;
}

/** Headers that a client decides by. */
const TOLD = ["etag", "content-range", "content-length", "accept-ranges", "x-error-code"];

/** What differs between two servers and is right in both: names of commits, times, addresses, oids of folders. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  const { type } = value as { type?: string };
  const changing = [
    ...["_id", "sha", "lastModified", "createdAt", "commitOid", "commitUrl", "targetCommit", "url", "error"],
    // The stand-in had no history to look into.
    "lastCommit",
  ];
  const entries = Object.entries(value)
    .filter(([key]) => !changing.includes(key) && !(key === "oid" && type === "directory"))
    // Ours lists by path, the recorded one by time.
    .map(([key, inner]) => [key, key === "siblings" ? [...inner].map(({ rfilename }) => rfilename).sort() : inner]);
  return Object.fromEntries(entries.map(([key, inner]) => [key, comparable(inner)]));
}

/** Undefined for none, and for one that the recording cut. */
function jsonOf(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Sends what the client sent, with the names that this server gave in place of the recorded ones. */
function replayer(origin: string) {
  const renamed = new Map<string, string>();
  let uploads: string[] = [];
  return async (exchange: Exchange) => {
    const { m, url, h, res = "" } = exchange;
    let path = url;
    for (const [theirs, ours] of renamed) path = path.replace(theirs, ours);
    const href = m === "PUT" ? (uploads.shift() ?? "") : origin + path;
    const answer = await fetch(href, {
      method: m,
      headers: Object.fromEntries(Object.entries(h).filter(([name]) => !["content-length"].includes(name))),
      ...(!["GET", "HEAD"].includes(m) && { body: bodyOf(exchange) }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.includes("json") === true;
    const json: unknown = isJson && text !== "" ? JSON.parse(text) : undefined;
    if (url.endsWith("/objects/batch")) {
      const { objects } = json as { objects: { actions?: { upload: { href: string } } }[] };
      uploads = objects.flatMap(({ actions }) => actions?.upload.href ?? []);
    }
    const ours = /[0-9a-f]{40}/.exec(text)?.[0];
    const theirs = /"(?:sha|commitOid)":"([0-9a-f]{40})"/.exec(res)?.[1];
    if (ours !== undefined && theirs !== undefined) renamed.set(theirs, ours);
    return { answer, json };
  };
}

describe.skipIf(recordings.length === 0)(
  "recorded clients (skipped where ../shared/reference/hub-traffic is absent)",
  () => {
    test.each(recordings)("%s is answered as it was", async (name) => {
      const { origin } = await platform();
      const exchanges = readFileSync(join(TRAFFIC, name), "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Exchange);
      expect(exchanges.length).toBeGreaterThan(20);
      const replay = replayer(origin);
      let compared = 0;
      for (const [index, exchange] of exchanges.entries()) {
        const { answer, json } = await replay(exchange);
        const what = `${index}: ${exchange.m} ${exchange.url}`;
        expect([what, answer.status]).toEqual([what, exchange.status]);
        const isFile = /\/(resolve|raw)\//.test(exchange.url);
        for (const header of isFile ? TOLD : ["x-error-code"]) {
          const recorded = exchange.resHeaders[header];
          // A fault's sentence is our own, and so is its length.
          if (recorded === undefined || (header === "content-length" && answer.status >= 400)) continue;
          expect([what, header, answer.headers.get(header)]).toEqual([what, header, String(recorded)]);
        }
        const recorded = jsonOf(exchange.res);
        // How a file is to be uploaded is this server's choice.
        if (recorded === undefined || exchange.m === "HEAD" || exchange.url.includes("/preupload/")) continue;
        expect([what, comparable(json)]).toEqual([what, comparable(recorded)]);
        compared += 1;
      }
      expect(compared).toBeGreaterThan(10);
    });
  },
);

test("the JavaScript client creates, uploads, lists, downloads and deletes, also where a token is asked for", async () => {
  const { origin } = await platform({ token: "hf_secret" });
  const hub = { hubUrl: `${origin}/v1/hf`, accessToken: "hf_secret", repo: { type: "dataset", name: "js/d" } as const };
  expect(await repoExists(hub)).toBe(false);
  await createRepo(hub);
  // From ten megabytes on the bytes go up alone.
  const large = randomBytes(11 << 20);
  const files = { "a/b.txt": Buffer.from("hi"), "empty.txt": Buffer.alloc(0), "large.bin": large };
  const content = Object.entries(files).map(([path, bytes]) => ({ path, content: new Blob([new Uint8Array(bytes)]) }));
  const { commit } = (await uploadFiles({ ...hub, files: content })) ?? {};
  expect(commit?.url).toBe(`${origin}/v1/hf/datasets/js/d/commit/${commit?.oid}`);

  const listed: Record<string, string | undefined> = {};
  for await (const { path, lfs } of listFiles({ ...hub, recursive: true })) listed[path] = lfs?.oid;
  expect(listed).toEqual({ a: undefined, "a/b.txt": undefined, "empty.txt": undefined, "large.bin": sha256(large) });
  for (const [path, bytes] of Object.entries(files)) {
    const file = await downloadFile({ ...hub, path });
    const downloaded = file === null ? "none" : Buffer.from(await file.arrayBuffer());
    expect(sha256(downloaded)).toBe(sha256(bytes));
  }
  expect(await downloadFile({ ...hub, path: "none" })).toBeNull();

  // It tells what it downloads, unasked.
  const quiet = vi.spyOn(console, "debug").mockImplementation(() => undefined);
  const cacheDir = await mkdtemp(join(tmpdir(), "pairwright-hub-"));
  try {
    const snapshot = await snapshotDownload({ ...hub, cacheDir });
    expect(sha256(readFileSync(join(snapshot, "large.bin")))).toBe(sha256(large));
  } finally {
    quiet.mockRestore();
    await rm(cacheDir, { recursive: true, force: true });
  }
  await deleteFile({ ...hub, path: "a/b.txt" });
  expect(await fileExists({ ...hub, path: "a/b.txt" })).toBe(false);
  await deleteRepo(hub);
  expect(await repoExists(hub)).toBe(false);
});

test("sixty-four clients commit to one repository at once, each on what the others did", async () => {
  const { origin, dir } = await platform();
  const hub = hubAt(origin);
  await hub.create("ns/all");
  const clients = Array.from({ length: 64 }, (_, index) => ({
    path: `client-${index}/file`,
    bytes: randomBytes(20_000),
  }));
  await Promise.all(
    clients.map(async ({ path, bytes }) => {
      expect((await hub.commit("ns/all", fileLine(path, bytes))).status).toBe(200);
    }),
  );
  expect(await hub.paths("ns/all")).toHaveLength(64);
  // Every commit stands on the one before: 64, and the first.
  expect((await hub.ask("GET", "/api/datasets/ns/all/commits/main?limit=100")).body).toHaveLength(65);
  for (const { path, bytes } of clients) {
    const file = await hub.ask("GET", `/datasets/ns/all/resolve/main/${path}`);
    expect(sha256(file.bytes)).toBe(sha256(bytes));
  }
  expect(await readdir(join(dir, "blobs/tmp"))).toEqual([]);
});

test("every file on disk has the content that its name says", async () => {
  const { origin, dir } = await platform();
  const hub = hubAt(origin);
  await hub.create("ns/d");
  await hub.commit(
    "ns/d",
    ...Array.from({ length: 20 }, (_, index) => fileLine(`f-${index}`, randomBytes(index * 1000))),
  );
  await hub.ask(
    "POST",
    "/api/datasets/ns/d/commit/main",
    commitText("bad", fileLine("x", "kept"), fileLine("../x", "not")),
  );
  const names = (await readdir(join(dir, "blobs"), { recursive: true })).filter((name) => /^..\/.{62}$/.test(name));
  expect(names.length).toBeGreaterThanOrEqual(20);
  for (const name of names) {
    const digest = createHash("sha256").update(readFileSync(join(dir, "blobs", name)));
    expect(digest.digest("hex")).toBe(name.replace("/", ""));
  }
});
