import { fileSha256 } from "../lib/files.ts";
import { canonicalJson, sha256 } from "../lib/hash.ts";
import type { DatasetReader } from "../registry/dataset.ts";

/** SHA-256 of a data set: of its file's bytes, else of its rows one after another. */
export async function datasetHash(reader: DatasetReader): Promise<string> {
  if (reader.file !== undefined) return fileSha256(reader.file);
  const rows: string[] = [];
  for await (const { row } of reader.rows()) rows.push(sha256(canonicalJson(row)));
  return sha256(rows.join(""));
}
