import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

/** What a hub calls the same file by. */
export interface FileIdentity {
  size: number;
  /** Git's: SHA-1 of `blob <size>\0` and the bytes. */
  git_oid: string;
  sha256: string;
  /** The first 512 bytes in base64, by which a hub tells text from binary. */
  sample: string;
}

const SAMPLE_BYTES = 512;

/** Reads a file once, in pieces. */
export async function fileIdentity(path: string): Promise<FileIdentity> {
  const { size } = await stat(path);
  const git = createHash("sha1").update(`blob ${size}\0`);
  const sha256 = createHash("sha256");
  let sample = Buffer.alloc(0);
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    git.update(chunk);
    sha256.update(chunk);
    if (sample.length < SAMPLE_BYTES) sample = Buffer.concat([sample, chunk]).subarray(0, SAMPLE_BYTES);
  }
  return { size, git_oid: git.digest("hex"), sha256: sha256.digest("hex"), sample: sample.toString("base64") };
}
