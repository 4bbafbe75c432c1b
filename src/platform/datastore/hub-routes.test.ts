import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestPlatform } from "../__fixtures__/test-platform.ts";
import { commitText, fileLine, hubAt } from "./__fixtures__/hub.ts";

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let hub: ReturnType<typeof hubAt>;
beforeAll(async () => {
  platform = await startTestPlatform();
  hub = hubAt(platform.origin);
});
afterAll(() => platform.stop());

/** A data set with these files, one commit. */
async function dataset(name: string, files: Record<string, string>): Promise<string> {
  const id = `ns/${name}`;
  await hub.create(id);
  const lines = Object.entries(files).map(([path, text]) => fileLine(path, text));
  if (lines.length > 0) expect((await hub.commit(id, ...lines)).status).toBe(200);
  return id;
}

const faultOf = ({ status, headers, body }: Awaited<ReturnType<typeof hub.ask>>) => [
  status,
  headers.get("x-error-code"),
  headers.get("x-error-message") === body.error,
];

test("a repository is made once; who makes it again is told where it is", async () => {
  const made = await hub.create("ns/made");
  expect(made).toMatchObject({ status: 200, body: { url: "datasets/ns/made", name: "ns/made", id: "ns/made" } });
  const again = await hub.create("ns/made");
  expect(again).toMatchObject({
    status: 409,
    body: { url: "datasets/ns/made", error: expect.stringMatching(/already/) },
  });
  expect(again.headers.get("x-should-retry")).toBe("false");
  expect((await hub.create("ns/made", "model")).body.url).toBe("ns/made");
  expect((await platform.call("GET", "/v1/datastore/namespaces/ns")).status).toBe(201);
  const mine = await hub.ask("POST", "/api/repos/create", { name: "mine", private: true });
  expect(mine.body).toEqual({ url: "local/mine", name: "local/mine", id: "local/mine" });

  expect(
    (await hub.ask("DELETE", "/api/repos/delete", { organization: "ns", name: "made", type: "dataset" })).status,
  ).toBe(200);
  expect(faultOf(await hub.ask("GET", "/api/datasets/ns/made"))).toEqual([404, "RepoNotFound", true]);
  expect((await hub.ask("GET", "/api/models/ns/made")).status).toBe(200);
});

test("names that could not be told from the API's etag paths are refused", async () => {
  for (const [organization, name] of [
    ["api", "x"],
    ["datasets", "x"],
    ["ns", "x.git"],
    ["..", "x"],
    ["ns", "a/b"],
    ["ns", ""],
  ]) {
    const { status, body } = await hub.ask("POST", "/api/repos/create", { organization, name, type: "model" });
    expect([status, body.error]).toEqual([422, expect.stringMatching(/^body\.(organization|name)/)]);
  }
});

test("what is missing is told apart: repository, revision, file", async () => {
  const id = await dataset("missing", { a: "1" });
  expect(faultOf(await hub.ask("GET", "/api/datasets/ns/nowhere/tree/main"))).toEqual([404, "RepoNotFound", true]);
  expect(faultOf(await hub.ask("GET", "/api/models/gpt2"))).toEqual([404, "RepoNotFound", true]);
  expect(faultOf(await hub.ask("GET", `/api/datasets/${id}/revision/nope`))).toEqual([404, "RevisionNotFound", true]);
  expect(faultOf(await hub.ask("GET", `/datasets/${id}/resolve/main/b`))).toEqual([404, "EntryNotFound", true]);
  expect(faultOf(await hub.ask("GET", `/datasets/${id}/resolve/main/`))).toEqual([404, "EntryNotFound", true]);
  expect(faultOf(await hub.ask("GET", `/api/datasets/${id}/tree/main/none`))).toEqual([404, "EntryNotFound", true]);
  expect(faultOf(await hub.ask("GET", `/api/datasets/${id}/xet-write-token/main`))).toEqual([404, null, true]);
  expect((await hub.ask("HEAD", `/datasets/${id}/raw/main/b`)).headers.get("x-error-code")).toBe("EntryNotFound");
});

test("a commit is all of its lines or none", async () => {
  const id = await dataset("atomic", { a: "1" });
  const bad = await hub.commit(id, fileLine("b", "2"), { key: "deletedFile", value: { path: "none" } });
  expect(faultOf(bad)).toEqual([404, "EntryNotFound", true]);
  expect(await hub.paths(id)).toEqual(["a"]);

  const good = await hub.commit(id, fileLine("./b/c", "2"), { key: "deletedFile", value: { path: "a" } });
  expect(good.body).toEqual({
    success: true,
    commitOid: expect.stringMatching(/^[0-9a-f]{40}$/),
    commitUrl: `${platform.origin}/v1/hf/datasets/${id}/commit/${good.body.commitOid}`,
    hookOutput: "",
  });
  expect(await hub.paths(id)).toEqual(["b/c"]);
});

test("paths that lead elsewhere are refused, and nothing is written", async () => {
  const id = await dataset("paths", {});
  for (const path of [
    "../a",
    "/etc/passwd",
    "a/../../b",
    "a\\b",
    "a\0b",
    ".git/config",
    "",
    "a".repeat(300),
    "\ud800",
  ]) {
    expect((await hub.commit(id, fileLine(path, "x"))).status).toBe(400);
  }
  expect(await hub.paths(id)).toEqual([]);
});

test("a commit on another head than its writer knew is refused", async () => {
  const id = await dataset("parent", { a: "1" });
  const { sha } = (await hub.ask("GET", `/api/datasets/${id}`)).body;
  const on = (parentCommit: string, path: string) => {
    const header = JSON.stringify({ key: "header", value: { summary: "c", parentCommit } });
    return hub.ask("POST", `/api/datasets/${id}/commit/main`, `${header}\n${fileLine(path, "x")}`);
  };
  expect((await on(sha.slice(0, 7), "b")).status).toBe(200);
  expect(await on(sha, "c")).toMatchObject({
    status: 412,
    body: { error: expect.stringMatching(/a commit has happened since/) },
  });
  expect(await hub.paths(id)).toEqual(["a", "b"]);
});

test("Python before 1.20 gets a commit's address as it can read it, and large files alone", async () => {
  const id = await dataset("old", { a: "1" });
  const headers = { "user-agent": "unknown/None; hf_hub/0.36.2; python/3.11.2" };
  const commit = commitText("c", fileLine("a", "2"));
  const { body } = await hub.ask("POST", `/api/datasets/${id}/commit/main`, commit, headers);
  expect(body.commitUrl).toBe(`datasets/${id}/commit/${body.commitOid}`);

  const files = [
    { path: "a", size: 1, sample: "" },
    { path: "large", size: 20 << 20, sample: "" },
  ];
  const preupload = async (agent: string) =>
    (await hub.ask("POST", `/api/datasets/${id}/preupload/main`, { files }, { "user-agent": agent })).body.files;
  expect(await preupload(headers["user-agent"])).toEqual([
    { path: "a", uploadMode: "regular", shouldIgnore: false },
    { path: "large", uploadMode: "lfs", shouldIgnore: false },
  ]);
  for (const agent of ["unknown/None; hf_hub/1.20.0; python/3.11.2", "unknown/None; hf_hub/2.4.0", "curl/8", ""]) {
    // printf 2 | git hash-object --stdin
    expect(await preupload(agent)).toEqual([
      { path: "a", uploadMode: "regular", shouldIgnore: false, oid: "d8263ee9860594d2806b0dfd1bfd17528b0ba2a4" },
      { path: "large", uploadMode: "regular", shouldIgnore: false },
    ]);
  }
  expect((await preupload("unknown/None; hf_hub/1.19.4"))[1].uploadMode).toBe("lfs");
  expect((await preupload("node"))[1].uploadMode).toBe("lfs");
});

test("a file is served whole, in part, or not again", async () => {
  const id = await dataset("served", { "a b/é.txt": "0123456789", empty: "" });
  const { sha } = (await hub.ask("GET", `/api/datasets/${id}`)).body;
  const url = `/datasets/${id}/resolve/main/a%20b/%C3%A9.txt`;
  const get = (headers: Record<string, string>, method = "GET") => hub.ask(method, url, undefined, headers);

  const whole = await get({ "accept-encoding": "gzip, deflate" });
  expect(whole).toMatchObject({ status: 200, bytes: Buffer.from("0123456789") });
  // printf 0123456789 | git hash-object --stdin
  const etag = '"ad471007bd7f5983d273b9584e5629230150fd54"';
  expect(Object.fromEntries(whole.headers)).toMatchObject({
    "content-length": "10",
    "content-type": "application/octet-stream",
    "accept-ranges": "bytes",
    "x-repo-commit": sha,
    etag,
  });
  expect(whole.headers.get("content-encoding")).toBeNull();

  const head = await get({ "accept-encoding": "identity" }, "HEAD");
  expect([head.status, head.headers.get("content-length"), head.headers.get("etag")]).toEqual([200, "10", etag]);
  const parts: [string, number, string, string][] = [
    ["bytes=0-0", 206, "0", "bytes 0-0/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=-2", 206, "89", "bytes 8-9/10"],
  ];
  for (const [range, status, text, contentRange] of parts) {
    const part = await get({ range });
    expect([part.status, part.bytes.toString(), part.headers.get("content-range")]).toEqual([
      status,
      text,
      contentRange,
    ]);
  }
  const beyond = await get({ range: "bytes=10-" });
  expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, "bytes */10"]);
  expect((await get({ "if-none-match": etag })).status).toBe(304);
  expect((await get({ "if-none-match": `W/${etag}, "x"` })).status).toBe(304);
  expect((await get({ "if-range": '"other"', range: "bytes=0-0" })).bytes).toHaveLength(10);

  const nothing = await hub.ask("GET", `/datasets/${id}/resolve/${sha}/empty`, undefined, { range: "bytes=0-0" });
  expect([nothing.status, nothing.headers.get("content-range"), nothing.bytes.length]).toEqual([200, "bytes */0", 0]);
});

test("a tree is listed page by page, folders before what is in them", async () => {
  const files = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`f${index % 5}/${index}.txt`, "x"]));
  const id = await dataset("pages", { ...files, top: "x" });
  const all: string[] = [];
  let url: string | undefined = `/api/datasets/${id}/tree/main?recursive=true&limit=7`;
  let pages = 0;
  while (url !== undefined) {
    const { body, headers } = await hub.ask("GET", url);
    all.push(...body.map(({ path }: { path: string }) => path));
    pages += 1;
    url = /^<(http:\/\/127\.0\.0\.1:\d+\/v1\/hf\/.+)>; rel="next"$/.exec(headers.get("link") ?? "")?.[1];
  }
  expect([pages, all.length, new Set(all).size]).toEqual([5, 31, 31]);
  expect(all.indexOf("f1")).toBeLessThan(all.indexOf("f1/1.txt"));
  const one = await hub.ask("GET", `/api/datasets/${id}/tree/main/f1?recursive=False&expand=True`);
  expect(one.body.map(({ path }: { path: string }) => path)).toEqual([
    "f1/1.txt",
    "f1/11.txt",
    "f1/16.txt",
    "f1/21.txt",
    "f1/6.txt",
  ]);
  expect(one.body[0]).toMatchObject({ type: "file", size: 1, lastCommit: { title: "c", id: expect.any(String) } });
});

test("each item's last commit is the one that changed it", async () => {
  const id = await dataset("history", { "a/b": "1", c: "1" });
  const second = (await hub.commit(id, fileLine("a/d", "2"))).body.commitOid;
  await hub.commit(id, fileLine("e", "3"));
  const { body } = await hub.ask("POST", `/api/datasets/${id}/paths-info/main`, {
    paths: ["a", "a/b", "c", "none"],
    expand: true,
  });
  const first = (await hub.ask("GET", `/api/datasets/${id}/commits/main`)).body[2].id;
  expect(
    body.map(({ path, lastCommit }: { path: string; lastCommit: { id: string } }) => [path, lastCommit.id]),
  ).toEqual([
    ["a", second],
    ["a/b", first],
    ["c", first],
  ]);
  const form = await hub.ask("POST", `/api/datasets/${id}/paths-info/main`, "paths=c&paths=a%2Fb&expand=False", {
    "content-type": "application/x-www-form-urlencoded",
  });
  expect(form.body.map(({ path }: { path: string }) => path)).toEqual(["c", "a/b"]);
  expect(form.body[0].lastCommit).toBeUndefined();
});

test("branches and tags are made, followed and deleted", async () => {
  const id = await dataset("refs", { a: "1" });
  const api = `/api/datasets/${id}`;
  const { sha } = (await hub.ask("GET", api)).body;
  expect((await hub.ask("POST", `${api}/branch/feature%2Fx`, {})).status).toBe(201);
  expect(await hub.ask("POST", `${api}/branch/feature%2Fx`, {})).toMatchObject({ status: 409 });
  expect((await hub.ask("POST", `${api}/tag/main`, { tag: "v1" })).status).toBe(201);
  const commit = commitText("on a branch", fileLine("b", "2"));
  expect((await hub.ask("POST", `${api}/commit/feature%2Fx`, commit)).status).toBe(200);

  expect(await hub.paths(id, "feature%2Fx")).toEqual(["a", "b"]);
  // As the JavaScript client writes it.
  expect(await hub.paths(id, "feature/x")).toEqual(["a", "b"]);
  expect((await hub.ask("GET", `/datasets/${id}/resolve/feature/x/b`)).bytes.toString()).toBe("2");
  for (const revision of ["main", "HEAD", "v1", sha]) expect(await hub.paths(id, revision)).toEqual(["a"]);
  const { body: refs } = await hub.ask("GET", `${api}/refs`);
  expect(refs.branches.map(({ ref }: { ref: string }) => ref)).toEqual(["refs/heads/feature/x", "refs/heads/main"]);
  expect(refs.tags).toEqual([{ name: "v1", ref: "refs/tags/v1", targetCommit: sha }]);

  expect((await hub.ask("POST", `${api}/commit/v1`, commit)).status).toBe(400);
  expect(faultOf(await hub.ask("POST", `${api}/commit/none`, commit))).toEqual([404, "RevisionNotFound", true]);
  expect((await hub.ask("POST", `${api}/commit/main?create_pr=1`, commit)).status).toBe(400);
  expect((await hub.ask("DELETE", `${api}/branch/feature%2Fx`)).status).toBe(204);
  expect((await hub.ask("DELETE", `${api}/tag/v1`)).status).toBe(204);
  expect((await hub.ask("DELETE", `${api}/branch/main`)).status).toBe(403);
  expect(faultOf(await hub.ask("DELETE", `${api}/tag/v1`))).toEqual([404, "RevisionNotFound", true]);
});

test("a repository tells of itself and its files, and is found among others", async () => {
  const id = await dataset("info", { "a.txt": "12" });
  const { body } = await hub.ask("GET", `/api/datasets/${id}?blobs=true&expand[]=likes`);
  expect(body).toMatchObject({
    id,
    author: "ns",
    private: false,
    likes: 0,
    sha: expect.stringMatching(/^[0-9a-f]{40}$/),
  });
  expect(body.lastModified).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  // printf 12 | git hash-object --stdin
  expect(body.siblings).toEqual([{ rfilename: "a.txt", size: 2, blobId: "3cacc0b93c9c9c03a72da624ca28a09ba5c1336f" }]);
  const names = async (query: string) =>
    (await hub.ask("GET", `/api/datasets?${query}`)).body.map(({ id: name }: { id: string }) => name);
  expect(await names("author=ns&search=INFO")).toEqual([id]);
  expect(await names("author=nobody")).toEqual([]);
  expect((await hub.ask("GET", "/api/datasets?author=ns&limit=1")).headers.get("link")).toMatch(/rel="next"$/);
});

test("the bytes of a body that is no list, form or line are answered, never a fault of the server", async () => {
  const id = await dataset("odd", {});
  const api = `/api/datasets/${id}`;
  const asked = [
    await hub.ask("POST", `${api}/paths-info/main`, "{"),
    await hub.ask("POST", `${api}/paths-info/main`, "[1]"),
    await hub.ask("POST", `${api}/paths-info/main`, '{"paths":[1]}'),
    await hub.ask("POST", `${api}/paths-info/main`, "null"),
    await hub.ask("POST", `${api}/preupload/main`, '{"files":[{"path":1}]}'),
    await hub.ask("POST", `${api}/commit/main`, ""),
    await hub.ask("POST", "/api/repos/create", "x"),
    await hub.ask("GET", `${api}/tree/main?cursor=%00&limit=0`),
    await hub.ask("GET", "/api/datasets?cursor=zzzz"),
    await hub.ask("GET", `${api}/tree/%E0%A4%A`),
    await hub.ask("GET", `${api}/revision/${"a/".repeat(500)}`),
    await hub.ask("GET", `${api}/commits/main?cursor=abc`),
    await hub.ask("GET", `/datasets/${id}/resolve/main/..%2F..%2Fplatform.db`),
  ];
  expect(asked.map(({ status }) => status)).toEqual([400, 400, 400, 400, 422, 400, 422, 200, 200, 400, 404, 404, 404]);
});

test("everybody is the same user, and a README's head is not looked at", async () => {
  expect((await hub.ask("GET", "/api/whoami-v2")).body).toMatchObject({ type: "user", name: "local", orgs: [] });
  expect((await hub.ask("POST", "/api/validate-yaml", { content: "" })).body).toEqual({ errors: [], warnings: [] });
});
