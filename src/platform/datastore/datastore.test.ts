import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { silentLogger } from "../../lib/log.ts";
import { platformMetrics } from "../metrics.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { newId } from "../store/identifiers.ts";
import { timestamps } from "../store/timestamps.ts";
import { openDatastore } from "./datastore.ts";
import { LARGE_BYTES } from "./files-of-folder.ts";

const opened: { dir: string; database: Database }[] = [];
afterEach(async () => {
  for (const { dir, database } of opened.splice(0)) {
    database.close();
    await rm(dir, { recursive: true, force: true });
  }
});

async function open(at?: string, now = 1_700_000_000_000) {
  const dir = at ?? (await mkdtemp(join(tmpdir(), "pairwright-datastore-")));
  const database = openDatabase(join(dir, "platform.db"));
  opened.push({ dir, database });
  const store = await openDatastore({
    database,
    dir,
    origin: () => "http://127.0.0.1:1",
    times: timestamps(() => now),
    newId,
    log: silentLogger,
    metrics: platformMetrics(),
  });
  return { dir, store, database };
}

async function folder(dir: string, files: Record<string, string | Buffer>): Promise<string> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(dir, path, ".."), { recursive: true });
    await writeFile(join(dir, path), text);
  }
  return dir;
}

test("a repository is made once, brings its namespace, and goes", async () => {
  const { store } = await open();

  expect(store.createRepo("model", "ns/m")).toBe(true);
  expect(store.createRepo("model", "ns/m")).toBe(false);
  expect(store.namespaces.get("ns")).toMatchObject({ namespace: "ns" });
  expect(store.hasRepo("model", "ns/m")).toBe(true);
  expect(store.hasRepo("dataset", "ns/m")).toBe(false);
  expect(store.files("model", "ns/m")).toEqual([]);
  expect(store.deleteRepo("model", "ns/m")).toBe(true);
  expect(store.deleteRepo("model", "ns/m")).toBe(false);
  expect(() => store.files("model", "ns/m")).toThrow(
    expect.objectContaining({ status: 404, headers: { "x-error-code": "RepoNotFound" } }),
  );
});

test("a folder becomes a branch with a tag, and a folder again", async () => {
  const { dir, store } = await open();
  store.createRepo("model", "ns/m");
  const from = await folder(join(dir, "trained"), { "config.json": "{}", "deep/er/a.txt": "a", "deep/b.txt": "" });

  const oid = await store.commitFolder("model", "ns/m", {
    revision: "cust-1",
    tag: "v1",
    summary: "trained",
    dir: from,
  });
  for (const revision of ["cust-1", "v1", oid]) {
    const files = store.files("model", "ns/m", revision);
    expect(files.map(({ path }) => path)).toEqual(["config.json", "deep/b.txt", "deep/er/a.txt"]);
    // git hash-object, sha256sum
    expect(files[0]).toEqual({
      path: "config.json",
      size: 2,
      oid: "9e26dfeeb6e641a33dae4961196235bdb965b21b",
      sha256: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    });
  }
  expect(store.files("model", "ns/m")).toEqual([]);
  await store.checkout("model", "ns/m", "cust-1", join(dir, "out"));
  expect((await readdir(join(dir, "out"), { recursive: true })).sort()).toEqual([
    "config.json",
    "deep",
    "deep/b.txt",
    "deep/er",
    "deep/er/a.txt",
  ]);
  expect(await readFile(join(dir, "out/deep/er/a.txt"), "utf8")).toBe("a");
  expect((await stat(join(dir, "out/config.json"))).ino).toBe((await stat(join(from, "config.json"))).ino);
  expect(await readdir(join(dir, "blobs/tmp"))).toEqual([]);
});

test("a second folder takes the first one's place on its branch, and leaves the history", async () => {
  const { dir, store } = await open();
  store.createRepo("dataset", "ns/d");
  const first = await store.commitFolder("dataset", "ns/d", {
    summary: "1",
    dir: await folder(join(dir, "1"), { a: "1", b: "1" }),
  });
  await store.commitFolder("dataset", "ns/d", { summary: "2", dir: await folder(join(dir, "2"), { b: "2" }) });

  expect(store.files("dataset", "ns/d").map(({ path, size }) => [path, size])).toEqual([["b", 1]]);
  expect(store.files("dataset", "ns/d", first).map(({ path }) => path)).toEqual(["a", "b"]);
  expect(() => store.files("dataset", "ns/d", "nowhere")).toThrow(
    expect.objectContaining({ status: 404, headers: { "x-error-code": "RevisionNotFound" } }),
  );
});

test("a large file has its pointer's oid, as the hub has it", async () => {
  const { dir, store } = await open();
  store.createRepo("model", "ns/m");
  const from = await folder(join(dir, "trained"), {
    "model.safetensors": Buffer.alloc(LARGE_BYTES),
    small: Buffer.alloc(300),
  });
  await store.commitFolder("model", "ns/m", { summary: "large", dir: from });

  // printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 10485760\n' SHA256 | git hash-object --stdin
  expect(store.files("model", "ns/m").map(({ oid }) => oid)).toEqual([
    "f2524593e6f5123566ea98ade1ff413b0a8c5266",
    "106bf3ffedc65453d4c9249eb21f0cde1da4c0c1",
  ]);
});

test("oids are git's own", async () => {
  const { dir, store } = await open();
  store.createRepo("model", "ns/m");
  // Git puts the folder "a" behind the file "a.b", as if it were "a/".
  const from = await folder(join(dir, "trained"), { "a.b": "1", "a/é": "2", b: Buffer.alloc(5000, 7) });
  const oid = await store.commitFolder("model", "ns/m", { summary: "trained", dir: from });

  const git = (...args: string[]) => execFileSync("git", ["-C", from, ...args], { encoding: "utf8", env: WHO }).trim();
  git("init", "-q", "-b", "main");
  git("add", "--all");
  git("commit", "-q", "-m", "trained");
  const commit = store.repos.resolve(store.repos.get({ type: "model", id: "ns/m" }), oid);
  expect(commit?.tree).toBe(git("rev-parse", "HEAD^{tree}"));
});

const WHO = {
  PATH: process.env.PATH,
  GIT_AUTHOR_NAME: "local",
  GIT_AUTHOR_EMAIL: "local@localhost",
  GIT_COMMITTER_NAME: "local",
  GIT_COMMITTER_EMAIL: "local@localhost",
  GIT_CONFIG_GLOBAL: "/dev/null",
};

test("a folder that is there is not written over, and a failed one leaves nothing", async () => {
  const { dir, store } = await open();
  store.createRepo("model", "ns/m");
  await store.commitFolder("model", "ns/m", { summary: "1", dir: await folder(join(dir, "1"), { a: "1" }) });
  const [file] = store.files("model", "ns/m");
  await rm(store.blobPath(file!.sha256));

  await expect(store.checkout("model", "ns/m", "main", join(dir, "out"))).rejects.toMatchObject({ code: "ENOENT" });
  expect((await readdir(dir)).filter((name) => name.includes("out"))).toEqual([]);
  await expect(store.checkout("model", "ns/m", "main", join(dir, "1"))).rejects.toMatchObject({
    code: "output_not_empty",
  });
});

test("after a deletion, the next start frees what nobody holds, a day after it came", async () => {
  const { dir, store, database } = await open();
  store.createRepo("model", "ns/goes");
  store.createRepo("model", "ns/stays");
  const [shared, own] = [{ "deep/shared": "shared" }, { "deep/own": "own" }];
  await store.commitFolder("model", "ns/goes", {
    summary: "1",
    dir: await folder(join(dir, "1"), { ...shared, ...own }),
  });
  await store.commitFolder("model", "ns/stays", { summary: "2", dir: await folder(join(dir, "2"), shared) });
  const [ownFile, sharedFile] = store.files("model", "ns/goes");
  const trees = () => (database.prepare("select count(*) as n from trees").get() as { n: number }).n;
  const before = trees();
  store.deleteRepo("model", "ns/goes");

  await open(dir, Date.now());
  expect(existsSync(store.blobPath(ownFile!.sha256))).toBe(true);
  // Root and folder of the one that went.
  expect(trees()).toBe(before - 2);
  store.deleteRepo("model", "ns/goes");
  await open(dir, Date.now() + 25 * 3600 * 1000);
  expect(existsSync(store.blobPath(ownFile!.sha256))).toBe(false);
  expect(existsSync(store.blobPath(sharedFile!.sha256))).toBe(true);
  expect(store.files("model", "ns/stays").map(({ path }) => path)).toEqual(["deep/shared"]);
});

test("what cut-off uploads left is gone at the next start", async () => {
  const { dir, store } = await open();
  const writer = store.blobs.writer();
  await writer.write(Buffer.alloc(1 << 20));
  expect(await readdir(join(dir, "blobs/tmp"))).toHaveLength(1);
  await open(dir);
  expect(await readdir(join(dir, "blobs/tmp"))).toEqual([]);
  await writer.discard();
});
