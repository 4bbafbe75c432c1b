import { readdir } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestPlatform } from "../__fixtures__/test-platform.ts";
import { commitText, hubAt, sha256 } from "./__fixtures__/hub.ts";

const TOKEN = "secret";
let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let hub: ReturnType<typeof hubAt>;
beforeAll(async () => {
  platform = await startTestPlatform({ token: TOKEN });
  hub = hubAt(platform.origin, TOKEN);
  await hub.create("ns/large");
});
afterAll(() => platform.stop());

const CLIENT = { accept: "application/vnd.git-lfs+json", "content-type": "application/vnd.git-lfs+json" };
const batchOf = (path: string, ...objects: { oid: string; size: number }[]) =>
  hub.ask(
    "POST",
    path,
    { operation: "upload", transfers: ["basic", "multipart", "xet"], objects, hash_algo: "sha256" },
    CLIENT,
  );
const ADDRESS = "/datasets/ns/large.git/info/lfs/objects/batch";

/** The way of the clients: the bytes, and no token. */
async function put(href: string, bytes: string): Promise<number> {
  const answer = await fetch(href, { method: "PUT", body: bytes });
  await answer.arrayBuffer();
  return answer.status;
}

async function hrefs(text: string, path = ADDRESS): Promise<{ upload: string; verify: string }> {
  const { status, body } = await batchOf(path, { oid: sha256(text), size: text.length });
  expect([status, body.transfer]).toEqual([200, "basic"]);
  const { upload, verify } = body.objects[0].actions;
  return { upload: upload.href, verify: verify.href };
}

test("an object goes up at the address that was given out, is verified, and committed", async () => {
  const text = "the bytes of a large file";
  const { upload, verify } = await hrefs(text);
  expect(await put(upload, text)).toBe(200);
  expect((await hub.ask("POST", verify, { oid: sha256(text), size: text.length })).status).toBe(200);
  // What is here needs no action; null or {} in its place would crash Python's client.
  const again = await batchOf(ADDRESS, { oid: sha256(text), size: text.length });
  expect(again.body.objects).toEqual([{ oid: sha256(text), size: text.length }]);
  expect(again.headers.get("content-type")).toBe("application/vnd.git-lfs+json");

  const line = { key: "lfsFile", value: { path: "a.bin", algo: "sha256", oid: sha256(text), size: text.length } };
  expect((await hub.commit("ns/large", line)).status).toBe(200);
  const file = await hub.ask("GET", "/datasets/ns/large/resolve/main/a.bin");
  expect(file.bytes.toString()).toBe(text);
  expect([file.headers.get("etag"), file.headers.get("x-linked-etag")]).toEqual([
    `"${sha256(text)}"`,
    `"${sha256(text)}"`,
  ]);
  expect((await hub.ask("GET", "/api/datasets/ns/large/tree/main")).body).toEqual([
    {
      type: "file",
      path: "a.bin",
      size: text.length,
      oid: expect.stringMatching(/^[0-9a-f]{40}$/),
      lfs: { oid: sha256(text), size: text.length, pointerSize: 127 },
    },
  ]);
});

test("the real service's addresses at the root work, too", async () => {
  const text = "at the root";
  const { upload } = await hrefs(text, `${platform.origin}/ns/large.git/info/lfs/objects/batch`);
  expect(new URL(upload).pathname).toBe(`/ns/large.git/info/lfs/objects/${sha256(text)}/${text.length}`);
  expect(await put(upload, text)).toBe(200);
  expect(
    (await hub.ask("GET", `${platform.origin}/ns/large.git/info/lfs/objects/${sha256(text)}`)).bytes.toString(),
  ).toBe(text);
  const none = await batchOf(`${platform.origin}/ns/none.git/info/lfs/objects/batch`);
  expect([none.status, none.headers.get("x-error-code")]).toEqual([404, "RepoNotFound"]);
});

test("bytes other than those announced are refused and not kept", async () => {
  const { upload } = await hrefs("expected");
  expect(await put(upload, "exp3cted")).toBe(400);
  expect(await put(upload, "expecte")).toBe(400);
  expect(await put(upload, "expected!")).toBe(400);
  expect((await hub.ask("POST", ADDRESS.replace("batch", "verify"), { oid: sha256("expected"), size: 8 })).status).toBe(
    404,
  );
  expect(await readdir(join(platform.dir, "blobs/tmp"))).toEqual([]);
  expect(await put(upload, "expected")).toBe(200);
  const wrong = await batchOf(ADDRESS, { oid: sha256("expected"), size: 9 });
  expect(wrong.body.objects[0].error).toMatchObject({ code: 422 });
});

test("without a token only the very address works that was given out, and only for a PUT", async () => {
  const { upload } = await hrefs("ticket");
  const other = new URL(upload);
  other.pathname = other.pathname.replace(sha256("ticket"), sha256("other!"));
  expect(await put(other.href, "other!")).toBe(401);
  const later = new URL(upload);
  later.searchParams.set("until", String(Number(later.searchParams.get("until")) + 1));
  expect(await put(later.href, "ticket")).toBe(401);
  const bare = new URL(upload);
  bare.search = "";
  expect(await put(bare.href, "ticket")).toBe(401);
  expect((await fetch(upload)).status).toBe(401);
  expect((await fetch(upload, { method: "POST", body: "ticket" })).status).toBe(401);
  expect((await fetch(`${platform.origin}/v1/hf/api/whoami-v2`)).status).toBe(401);
  // With the token, but no ticket.
  expect((await hub.ask("PUT", bare.href, "ticket")).status).toBe(403);
  expect(await put(upload, "ticket")).toBe(200);
});

test("an object that was not uploaded cannot be committed", async () => {
  const line = { key: "lfsFile", value: { path: "none", algo: "sha256", oid: sha256("never sent"), size: 10 } };
  expect(await hub.commit("ns/large", line)).toMatchObject({
    status: 400,
    body: { error: expect.stringMatching(/was not uploaded/) },
  });
});

test("a client that leaves in the middle of its upload leaves nothing", async () => {
  const text = "x".repeat(1 << 20);
  const { upload } = await hrefs(text);
  await new Promise<void>((resolve) => {
    const outgoing = request(upload, { method: "PUT", headers: { "content-length": text.length } });
    outgoing.on("error", () => resolve());
    outgoing.write(text.slice(0, 300_000), () => setTimeout(() => outgoing.destroy(), 20));
  });
  await expect.poll(() => readdir(join(platform.dir, "blobs/tmp"))).toEqual([]);
  const commit = commitText(
    "c",
    `{"key":"file","value":{"path":"x","encoding":"base64","content":"${"A".repeat(1 << 20)}`,
  );
  await new Promise<void>((resolve) => {
    const outgoing = request(`${platform.origin}/v1/hf/api/datasets/ns/large/commit/main`, {
      method: "POST",
      headers: { "content-length": commit.length * 2, authorization: `Bearer ${TOKEN}` },
    });
    outgoing.on("error", () => resolve());
    outgoing.write(commit, () => setTimeout(() => outgoing.destroy(), 20));
  });
  await expect.poll(() => readdir(join(platform.dir, "blobs/tmp"))).toEqual([]);
});
