import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRandom } from "../../lib/random.ts";
import { type BlobStore, blobStore } from "./blob-store.ts";
import { readCommitBody } from "./commit-body.ts";

let dir: string;
let blobs: BlobStore;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "pairwright-commit-"));
  blobs = await blobStore(dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function* cut(text: string | Buffer, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const read = (text: string | Buffer, size = 1 << 16) => readCommitBody(cut(text, size), blobs);
const HEADER = '{"key":"header","value":{"summary":"s"}}\n';
const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");
const gitOid = (bytes: Buffer) => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

test("the lines are read wherever the network cuts them", async () => {
  const content = Buffer.from('{"prompt":"ü \\" } content"}\n');
  // As Python writes them, as JavaScript does (no newline at the end), and with everything in odd places.
  const text = [
    '{"key": "header", "value": {"summary": "sum \\"q\\" \\\\", "description": "", "parentCommit": "abcdef0"}}',
    `{"key": "file", "value": {"content": "${content.toString("base64")}", "path": "a/ü.jsonl", "encoding": "base64"}}`,
    `{"value":{"path":"b","x":[{"value":{"content":"no"}}],"content":"${content.toString("base64")}","encoding":"base64"},"content":"no","key":"file"}\r`,
    "",
    '{"key":"file","value":{"content":"","path":"empty","encoding":"base64"}}',
    '{"key":"deletedFile","value":{"path":"./c"}}',
    '{"key":"deletedFolder","value":{"path":"d/"}}',
  ].join("\n");
  const file = { oid: gitOid(content), size: content.length, sha256: sha256(content) };
  for (const size of [1, 2, 3, 5, 7, 64, 1 << 16]) {
    expect(await read(text, size)).toEqual({
      summary: 'sum "q" \\',
      description: "",
      parent: "abcdef0",
      edits: [
        { do: "put", path: "a/ü.jsonl", file },
        { do: "put", path: "b", file },
        { do: "put", path: "empty", file: { oid: gitOid(Buffer.alloc(0)), size: 0, sha256: sha256("") } },
        { do: "remove_file", path: "c" },
        { do: "remove_folder", path: "d" },
      ],
    });
  }
  expect(await readFile(blobs.path(file.sha256))).toEqual(content);
});

test("content of every length comes out as it was, with its git name", async () => {
  const random = seededRandom(5);
  for (const length of [...Array.from({ length: 20 }, (_, index) => index), 199, 200, 201, 300_000]) {
    const bytes = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    const padded = bytes.toString("base64");
    for (const written of [
      padded,
      padded.replace(/=+$/, ""),
      padded.replaceAll("/", "\\/").replaceAll("+", "\\u002B"),
    ]) {
      const line = `${HEADER}{"key":"file","value":{"path":"x","encoding":"base64","content":"${written}"}}\n`;
      const { edits } = await read(line, 1 + Math.floor(random() * 5000));
      expect(edits).toEqual([
        { do: "put", path: "x", file: { oid: gitOid(bytes), size: length, sha256: sha256(bytes) } },
      ]);
    }
  }
});

test("what is no commit is refused, and leaves nothing behind", async () => {
  const file = (content: string) => `{"key":"file","value":{"path":"x","encoding":"base64","content":"${content}"}}`;
  const lines = [
    "",
    "{",
    "null",
    '{"key":"other","value":{}}',
    '{"key":"file","value":{"path":"x","encoding":"base64"}}',
    '{"key":"file","value":{"path":"x","encoding":"utf-8","content":"aaaa"}}',
    '{"key":"file","value":{"path":"../x","encoding":"base64","content":"aaaa"}}',
    '{"key":"file","value":{"path":"x","encoding":"base64","content":"aaaa',
    '{"key":"file","value":{"path":"x","encoding":"base64","content":["aaaa"]}}',
    '{"key":"file","value":[{"content":"aaaa"}]}',
    ...["a", "aaaaa", "aa=a", "=", "aaaa====", "aa aa", "ä", "aa==aa==", "a\\u00e4aa", "a\\qaa", "aaa\\"].map(file),
    `{"key":"lfsFile","value":{"path":"x","algo":"sha256","oid":"${"0".repeat(64)}","size":1}}`,
    '{"key":"lfsFile","value":{"path":"x","algo":"sha256","oid":"../../etc","size":1}}',
    `{"key":"lfsFile","value":{"path":"x","algo":"sha256","oid":"${sha256("")}","size":1}}`,
    `{"key":"header","value":{"summary":"${"a".repeat(2 << 20)}"}}`,
    '{"key":"header","value":{"summary":"\n"}}',
  ];
  await read(`${HEADER}${file("")}`);
  const accepted: string[] = [];
  for (const line of lines) {
    const text = line === "" ? file("aaaa") : `${HEADER}${line}`;
    const fault = await read(text, 100_000).catch((error: unknown) => error);
    if ((fault as { status?: number }).status !== 400) accepted.push(`${line.slice(0, 100)}: ${String(fault)}`);
  }
  expect(accepted).toEqual([]);
  expect(await readdir(join(dir, "tmp"))).toEqual([]);
});

test("a file that holds a large one's pointer is that large file, as in git", async () => {
  const {
    edits: [edit],
  } = await read(
    `${HEADER}{"key":"file","value":{"path":"x","encoding":"base64","content":"${Buffer.from("large").toString("base64")}"}}`,
  );
  expect(edit).toMatchObject({ file: { size: 5 } });
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256("large")}\nsize 5\n`;
  const line = `{"key":"file","value":{"path":"p","encoding":"base64","content":"${Buffer.from(pointer).toString("base64")}"}}`;
  expect((await read(HEADER + line)).edits).toEqual([
    { do: "put", path: "p", file: { oid: gitOid(Buffer.from(pointer)), size: 5, sha256: sha256("large"), lfs: true } },
  ]);
});
