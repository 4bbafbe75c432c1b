import { expect, test } from "vitest";
import { datasetLayout } from "./dataset-layout.ts";

function layout(paths: string[], folder = "") {
  const files = paths.map((path) => ({ path, size: 1, sha256: path, oid: "" }));
  const { training, validation } = datasetLayout(files, folder);
  const names = (of: typeof training) => of.map(({ path }) => path);
  return [names(training), names(validation)];
}

test("training/ and validation/ come before everything else, in the order of their names", () => {
  const paths = ["training/b.jsonl", "training/a.jsonl", "validation/c.jsonl", "testing/d.jsonl", "train.jsonl"];
  expect(layout(paths)).toEqual([["training/a.jsonl", "training/b.jsonl"], ["validation/c.jsonl"]]);
  expect(layout(["training/README.md", "training/a.jsonl"])).toEqual([["training/a.jsonl"], []]);
});

test("other forms are found where those are not there", () => {
  expect(layout(["train/a.jsonl", "dev/b.jsonl"])).toEqual([["train/a.jsonl"], ["dev/b.jsonl"]]);
  expect(layout(["training_file.jsonl", "validation_file.jsonl"])).toEqual([
    ["training_file.jsonl"],
    ["validation_file.jsonl"],
  ]);
  expect(layout(["rows.jsonl", "README.md"])).toEqual([["rows.jsonl"], []]);
  expect(layout(["one.jsonl", "two.jsonl"])).toEqual([[], []]);
  expect(layout(["validation/a.jsonl"])).toEqual([[], ["validation/a.jsonl"]]);
});

test("a files URL may name a folder of the repository, or one file", () => {
  const paths = ["v1/training/a.jsonl", "v2/training/b.jsonl", "v2/validation/c.jsonl", "v22/training/d.jsonl"];
  expect(layout(paths, "v2")).toEqual([["v2/training/b.jsonl"], ["v2/validation/c.jsonl"]]);
  expect(layout(["some/rows.jsonl", "other.jsonl"], "some/rows.jsonl")).toEqual([["some/rows.jsonl"], []]);
});
