import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createRepo,
  datasetInfo,
  deleteFile,
  deleteRepo,
  downloadFile,
  fileExists,
  HubApiError,
  listFiles,
  pathsInfo,
  repoExists,
  snapshotDownload,
  uploadFile,
  uploadFiles,
  whoAmI,
} from "@huggingface/hub";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { summary } from "./platform/call-counter.ts";
import { type RunningPlatform, startRunningPlatform } from "./platform/platform-process.ts";

const ROWS = '{"prompt":"a","chosen_response":"b","rejected_response":"c"}\n';
const repo = { type: "dataset", name: "js-ns/rows" } as const;

describe("@huggingface/hub of npm", () => {
  let platform: RunningPlatform;
  let dir: string;
  /** The client wants a token of the Hub's form; the platform takes any. */
  let to: { hubUrl: string; accessToken: string };
  beforeAll(async () => {
    platform = await startRunningPlatform();
    dir = await mkdtemp(join(tmpdir(), "pairwright-interop-hub-js-"));
    to = { hubUrl: `${platform.url}/v1/hf`, accessToken: "hf_local" };
  });
  afterAll(async () => {
    expect(platform.calls.length).toBeGreaterThan(0);
    const head = `@huggingface/hub of npm: ${platform.calls.length} calls`;
    process.stdout.write(`${[head, ...summary(platform.calls).map((line) => `  ${line}`)].join("\n")}\n`);
    await platform[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  const names = async (options: object = {}) => {
    const found: string[] = [];
    for await (const { path, type } of listFiles({ repo, recursive: true, ...options, ...to })) {
      if (type === "file") found.push(path);
    }
    return found.sort();
  };
  const textOf = async (path: string, options: object = {}) =>
    (await downloadFile({ repo, path, ...options, ...to }))?.text();

  test("a repository is made once", async () => {
    expect(await repoExists({ repo, ...to })).toBe(false);
    await createRepo({ repo, ...to });
    expect(await repoExists({ repo, ...to })).toBe(true);
    const again = createRepo({ repo, ...to });
    await expect(again).rejects.toBeInstanceOf(HubApiError);
    await expect(again).rejects.toMatchObject({ statusCode: 409 });
    expect((await whoAmI(to)).name).toEqual(expect.any(String));
    expect(await datasetInfo({ name: repo.name, ...to })).toMatchObject({ name: repo.name, private: false });
  });

  test("files go up, are listed and come down", async () => {
    const done = await uploadFile({
      repo,
      file: { path: "training/rows.jsonl", content: new Blob([ROWS]) },
      ...to,
    });
    expect(done?.commit.oid).toMatch(/^[0-9a-f]{40}$/);
    await uploadFiles({
      repo,
      files: [
        { path: "validation/rows.jsonl", content: new Blob([ROWS, ROWS]) },
        { path: "empty.txt", content: new Blob([]) },
        { path: "odd names/ä ö+ü.txt", content: new Blob(["odd"]) },
      ],
      ...to,
    });
    expect(await names()).toEqual(["empty.txt", "odd names/ä ö+ü.txt", "training/rows.jsonl", "validation/rows.jsonl"]);
    expect(await textOf("training/rows.jsonl")).toBe(ROWS);
    expect(await textOf("validation/rows.jsonl")).toBe(ROWS + ROWS);
    expect(await textOf("empty.txt")).toBe("");
    expect(await textOf("odd names/ä ö+ü.txt")).toBe("odd");
    const blob = await downloadFile({ repo, path: "validation/rows.jsonl", ...to });
    expect(await blob?.slice(0, 10).text()).toBe(ROWS.slice(0, 10));
  });

  test("what is not there is not there", async () => {
    expect(await fileExists({ repo, path: "empty.txt", ...to })).toBe(true);
    expect(await fileExists({ repo, path: "none.txt", ...to })).toBe(false);
    expect(await downloadFile({ repo, path: "none.txt", ...to })).toBe(null);
    const [info, ...more] = await pathsInfo({ repo, paths: ["training/rows.jsonl", "none"], ...to });
    expect(info).toMatchObject({ path: "training/rows.jsonl", type: "file", size: ROWS.length });
    expect(more).toEqual([]);
  });

  test("20 MB go up and come down", async () => {
    const content = randomBytes(20_000_000);
    await uploadFile({ repo, file: { path: "large.bin", content: new Blob([content]) }, ...to });
    const blob = await downloadFile({ repo, path: "large.bin", ...to });
    expect(blob?.size).toBe(content.length);
    expect(Buffer.from((await blob?.arrayBuffer()) ?? new ArrayBuffer(0)).equals(content)).toBe(true);
  });

  test("a snapshot is the whole repository", async () => {
    const folder = await snapshotDownload({ repo, cacheDir: dir, ...to });
    expect(await readFile(join(folder, "training/rows.jsonl"), "utf8")).toBe(ROWS);
    expect((await readFile(join(folder, "large.bin"))).length).toBe(20_000_000);
  });

  test("an older commit has what it had", async () => {
    const first = (await uploadFile({ repo, file: { path: "v.txt", content: new Blob(["one"]) }, ...to }))?.commit;
    await uploadFile({ repo, file: { path: "v.txt", content: new Blob(["two"]) }, ...to });
    expect(await textOf("v.txt")).toBe("two");
    expect(await textOf("v.txt", { revision: first?.oid })).toBe("one");
    await deleteFile({ repo, path: "v.txt", ...to });
    expect(await names()).not.toContain("v.txt");
    expect(await names({ revision: first?.oid })).toContain("v.txt");
  });

  test("a repository that is taken away is gone", async () => {
    await deleteRepo({ repo, ...to });
    expect(await repoExists({ repo, ...to })).toBe(false);
    await expect(names()).rejects.toMatchObject({ statusCode: 404 });
  });
});
