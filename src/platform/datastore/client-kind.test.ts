import { expect, test } from "vitest";
import { commitUrl, maySkip, uploadMode } from "./client-kind.ts";

const python = (version: string) => `unknown/None; hf_hub/${version}; python/3.11.2`;
const large = { path: "a.jsonl", size: 20 << 20 };

test("only clients that do as they are told upload large files alone", () => {
  const modes = ["0.36.2", "1.19.4", "1.20.0", "1.33.0", "2.4.0"].map((version) => uploadMode(python(version), large));
  expect(modes).toEqual(["lfs", "lfs", "regular", "regular", "regular"]);
  const others = ["node", "pairwright/0.1", "", "curl/8", "Mozilla/5.0"].map((agent) => uploadMode(agent, large));
  expect(others).toEqual(["lfs", "lfs", "regular", "regular", "regular"]);
});

test("small files go into the commit, parquet where it can does not, and an empty file always does", () => {
  expect(uploadMode("node", { path: "a.jsonl", size: 1000 })).toBe("regular");
  expect(uploadMode("node", { path: "a.parquet", size: 1000 })).toBe("lfs");
  expect(uploadMode(python("2.4.0"), { path: "a.parquet", size: 1000 })).toBe("regular");
  expect(uploadMode("node", { path: "a.parquet", size: 0 })).toBe("regular");
});

test("a commit's address is one that the client can read", () => {
  const commit = { origin: "http://127.0.0.1:1", key: { type: "model", id: "ns/m" }, oid: "0a" } as const;
  expect(commitUrl(python("0.36.2"), commit)).toBe("models/ns/m/commit/0a");
  expect(commitUrl(python("1.20.0"), commit)).toBe("http://127.0.0.1:1/v1/hf/models/ns/m/commit/0a");
  expect(commitUrl("node", commit)).toBe("http://127.0.0.1:1/v1/hf/models/ns/m/commit/0a");
  expect([python("0.36.2"), python("1.20.0"), "node"].map(maySkip)).toEqual([false, true, true]);
});
