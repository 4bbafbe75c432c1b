import { createHash } from "node:crypto";

/** A line of a git tree: a file by its blob's oid, or a folder by its tree's. */
export interface GitEntry {
  name: string;
  kind: "file" | "tree";
  oid: string;
}

export interface GitCommit {
  tree: string;
  parent: string | undefined;
  message: string;
  /** Seconds since 1970. */
  seconds: number;
}

/** The SHA-1 that git gives an object (git's "Git Internals - Git Objects"): of its kind, its length, NUL and its bytes. */
export function gitOid(kind: "blob" | "tree" | "commit", bytes: Uint8Array): string {
  return createHash("sha1").update(`${kind} ${bytes.byteLength}\0`).update(bytes).digest("hex");
}

/** The oid of a tree; the order of the entries does not matter. */
export function gitTreeOid(entries: readonly GitEntry[]): string {
  // Git orders folders as if their names ended with a slash, by bytes.
  const keyed = entries.map((entry) => ({
    entry,
    key: Buffer.from(entry.kind === "tree" ? `${entry.name}/` : entry.name),
  }));
  keyed.sort((a, b) => Buffer.compare(a.key, b.key));
  const lines = keyed.flatMap(({ entry: { name, kind, oid } }) => [
    Buffer.from(`${kind === "tree" ? "40000" : "100644"} ${name}\0`),
    Buffer.from(oid, "hex"),
  ]);
  return gitOid("tree", Buffer.concat(lines));
}

/** The oid of a commit by this platform. */
export function gitCommitOid({ tree, parent, message, seconds }: GitCommit): string {
  const by = `local <local@localhost> ${seconds} +0000`;
  const lines = [`tree ${tree}`, ...(parent === undefined ? [] : [`parent ${parent}`]), `author ${by}`];
  return gitOid("commit", Buffer.from(`${lines.join("\n")}\ncommitter ${by}\n\n${message}`));
}

/** What git holds in place of a large file. */
export function lfsPointer({ sha256, size }: { sha256: string; size: number }): Buffer {
  return Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`);
}

/** The file that a pointer stands for; undefined for bytes that are none. */
export function readLfsPointer(bytes: Uint8Array): { sha256: string; size: number } | undefined {
  if (bytes.byteLength > 200) return undefined;
  const text = Buffer.from(bytes).toString("latin1");
  const found = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (\d{1,15})\n$/.exec(
    text,
  );
  return found === null ? undefined : { sha256: found[1] ?? "", size: Number(found[2]) };
}
