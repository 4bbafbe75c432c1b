import { expect, test } from "vitest";
import { pick, seededRandom } from "../../lib/random.ts";
import { type Edit, editTree, emptyTree } from "./edit-tree.ts";
import { gitTreeOid } from "./git-objects.ts";
import { findEntry, type TreeEntry, type TreeStore, walk } from "./tree.ts";

function memoryTrees(): TreeStore & { added: number } {
  const kept = new Map<string, readonly TreeEntry[]>();
  return {
    added: 0,
    entries: (oid) => kept.get(oid) ?? [],
    add(entries) {
      this.added += 1;
      const oid = gitTreeOid(entries);
      kept.set(oid, entries);
      return oid;
    },
  };
}

const file = (text: string) => ({ oid: text.padStart(40, "0"), size: text.length, sha256: text.padStart(64, "0") });
const put = (path: string, text = "1"): Edit => ({ do: "put", path, file: file(text) });
const paths = (trees: TreeStore, root: string) => [...walk(trees, { root, recursive: true })].map(({ path }) => path);

test("the empty tree is git's", () => {
  expect(emptyTree(memoryTrees())).toBe("4b825dc642cb6eb9a060e54bf8d69288fbee4904");
});

test("files are put and removed, and folders without files go", () => {
  const trees = memoryTrees();
  const first = editTree(trees, emptyTree(trees), [put("a/b/c"), put("a/d"), put("e")]);
  expect(paths(trees, first)).toEqual(["a", "a/b", "a/b/c", "a/d", "e"]);

  const second = editTree(trees, first, [{ do: "remove_file", path: "a/b/c" }]);
  expect(paths(trees, second)).toEqual(["a", "a/d", "e"]);
  expect(paths(trees, editTree(trees, second, [{ do: "remove_folder", path: "a" }]))).toEqual(["e"]);
  expect(paths(trees, first)).toHaveLength(5);
});

test("only the folders on the way to a change are written again", () => {
  const trees = memoryTrees();
  const many = Array.from({ length: 50 }, (_, index) => put(`folder-${index}/file`));
  const root = editTree(trees, emptyTree(trees), many);
  const before = trees.added;
  editTree(trees, root, [put("folder-7/other")]);
  expect(trees.added - before).toBe(2);
});

test("a file does not take a folder's place, nor lie in a file, unless that goes first", () => {
  const trees = memoryTrees();
  const root = editTree(trees, emptyTree(trees), [put("a/b"), put("c")]);
  const fault = (...edits: Edit[]) => expect.soft(() => editTree(trees, root, edits));
  fault(put("a")).toThrow(expect.objectContaining({ status: 400 }));
  fault(put("c/d")).toThrow(expect.objectContaining({ status: 400 }));
  fault({ do: "remove_file", path: "a" }).toThrow(expect.objectContaining({ status: 404 }));
  fault({ do: "remove_folder", path: "c" }).toThrow(expect.objectContaining({ status: 404 }));
  fault({ do: "remove_file", path: "a/x" }).toThrow(expect.objectContaining({ status: 404 }));
  fault({ do: "remove_file", path: "c/x" }).toThrow(expect.objectContaining({ status: 404 }));
  const replaced = editTree(trees, root, [{ do: "remove_folder", path: "a" }, put("a")]);
  expect(paths(trees, replaced)).toEqual(["a", "c"]);
});

test("names of objects' own members are names like others", () => {
  const trees = memoryTrees();
  const root = editTree(trees, emptyTree(trees), [put("__proto__/constructor"), put("toString")]);
  expect(paths(trees, root)).toEqual(["__proto__", "__proto__/constructor", "toString"]);
});

test("a tree holds what a plain list of paths would, page by page too", () => {
  const random = seededRandom(11);
  for (let round = 0; round < 60; round += 1) {
    const trees = memoryTrees();
    const plain = new Map<string, string>();
    let root = emptyTree(trees);
    for (let step = 0; step < 40; step += 1) {
      const path = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
        pick(["a", "a.b", "b", "é"], random),
      ).join("/");
      const remove = random() < 0.3;
      const within = [...plain.keys()].some((known) => known.startsWith(`${path}/`));
      const inFile = [...plain.keys()].some((known) => path.startsWith(`${known}/`));
      const isFault = remove ? !plain.has(path) : within || inFile;
      const edit: Edit = remove ? { do: "remove_file", path } : put(path, String(step));
      if (isFault) {
        const at = root;
        expect(() => editTree(trees, at, [edit])).toThrow();
        continue;
      }
      root = editTree(trees, root, [edit]);
      if (remove) plain.delete(path);
      else plain.set(path, String(step).padStart(40, "0"));
    }
    const all = [...walk(trees, { root, recursive: true })];
    const files = all.filter(({ entry }) => entry.kind === "file");
    expect(new Map(files.map(({ path, entry }) => [path, entry.oid]))).toEqual(plain);
    for (const [path, oid] of plain) expect(findEntry(trees, root, path)?.oid).toBe(oid);
    all.forEach(({ path }, index) => {
      expect(paths(trees, root).slice(index + 1)).toEqual(
        [...walk(trees, { root, recursive: true, after: path })].map((item) => item.path),
      );
    });
  }
});
