import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
// Either from the root (`tests/x.test.ts`, `src/registry/`), or a source file from `src` (`pipeline/collect.ts`).
const PATH = /(?<![\w/<.-])((?:src|tests|bench|examples)\/[\w./-]*[\w/]|[a-z]+(?:\/[a-z-]+)+\.ts)/g;

test.each(DOCUMENTS)("every path that %s names exists", async (document) => {
  const text = await readFile(document, "utf8");
  const paths = [...new Set([...text.matchAll(PATH)].map(([, path]) => path ?? ""))];

  expect(paths.length).toBeGreaterThan(2);
  expect(paths.filter((path) => !existsSync(path) && !existsSync(`src/${path}`))).toEqual([]);
});

test("the README's twenty lines are examples/quickstart.ts", async () => {
  const [, shown] = /```ts\n([\s\S]*?)```/.exec(await readFile("README.md", "utf8")) ?? [];
  expect(shown).toBe(await readFile("examples/quickstart.ts", "utf8"));
});

test("the tree in ARCHITECTURE has a line for every folder of src", async () => {
  const text = await readFile("ARCHITECTURE.md", "utf8");
  const tree = /```\n(examples[\s\S]*?)```/.exec(text)?.[1] ?? "";
  const folders = [...tree.matchAll(/^ {2}([a-z-]+)\/ /gm)].map(([, folder]) => folder);
  expect(folders.length).toBeGreaterThan(12);
  expect(folders.filter((folder) => !existsSync(`src/${folder}`) && !existsSync(`examples/${folder}`))).toEqual([]);
});
