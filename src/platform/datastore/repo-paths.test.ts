import { posix } from "node:path";
import { expect, test } from "vitest";
import { pick, seededRandom } from "../../lib/random.ts";
import { filePath, folderPath, refName } from "./repo-paths.ts";

function isRefused(check: (text: string) => string, text: string): boolean {
  try {
    check(text);
    return false;
  } catch (error) {
    expect(error).toMatchObject({ status: 400 });
    return true;
  }
}

test("plain paths are kept, without ./ before them", () => {
  const long = `${"a".repeat(255)}/${"b".repeat(255)}`;
  for (const path of ["a", "a/b.txt", "ü/雪.jsonl", ".hidden", "..a", "a..b/c...", "a b", ".github/x", long]) {
    expect(filePath(path)).toBe(path);
  }
  expect(filePath("./training_file.jsonl")).toBe("training_file.jsonl");
  expect(filePath("././/a")).toBe("a");
  expect(folderPath("a/b/")).toBe("a/b");
});

test("paths that could lead elsewhere or name nothing are refused", () => {
  const paths = [
    ...["", ".", "..", "./", "/", "/etc/passwd", "//a", "../a", "a/../b", "a/..", "a/./b", "a//b", "a/", "./../a"],
    ...["a\\b", "..\\a", "C:\\a", "a\0b", "a\nb", "\u007f", "\ud800", ".git", ".git/config", "a/.GIT/b"],
    ...["a".repeat(256), "ü".repeat(128), `${"a/".repeat(512)}b`],
  ];
  expect(paths.filter((path) => !isRefused(filePath, path))).toEqual([]);
});

test("a path that is kept stays below any folder, and is kept as it is", () => {
  const random = seededRandom(3);
  const parts = ["a", ".", "..", "/", "//", "\\", "\0", ".git", "é", " ", "%2e", "~", "\ud83d", "C:", "-"];
  let kept = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: 1 + Math.floor(random() * 6) }, () => pick(parts, random)).join("");
    if (isRefused(filePath, text)) continue;
    const path = filePath(text);
    kept += 1;
    expect(posix.join("/base", path)).toBe(`/base/${path}`);
    expect(Buffer.from(path).toString("utf8")).toBe(path);
    expect(filePath(path)).toBe(path);
  }
  expect(kept).toBeGreaterThan(1000);
});

test("names of branches and tags are what git takes and what is nothing else already", () => {
  for (const name of ["main", "v1.0", "feature/x", "cust-BhMuWx96Q25LWXuTMbAGP9", "a@b"])
    expect(refName(name)).toBe(name);
  const refused = ["", "HEAD", "-a", "a..b", "a//b", "/a", "a/", "a b", "a.lock", "a@{1}", "é", "refs/heads/x"];
  expect([...refused, "a".repeat(256), "0".repeat(40)].filter((name) => !isRefused(refName, name))).toEqual([]);
});
