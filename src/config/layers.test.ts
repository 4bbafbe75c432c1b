// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts under test hold variables
import { join } from "node:path";
import { expect, test } from "vitest";
import { folderWith, load, problemsOf } from "./__fixtures__/loading.ts";
import { seedRegistry } from "./__fixtures__/registry.ts";
import { loadConfig } from "./load.ts";

test("a file is laid over its base: maps merge, lists and null replace, names start from the file that says them", async () => {
  using folder = folderWith({
    "runs/config.yml": "base: ../shared/base.yml\nllms: {a: {temperature: 0.5, stop: [z]}}\nfinetuning: null\n",
    "shared/base.yml":
      "base: deeper.yml\nllms: {a: {model_name: base-model, stop: [x, y]}}\nfinetuning: {trainer: none}\n",
    "shared/deeper.yml": "llms: {a: {_type: openai, model_name: deep-model, max_retries: 1}}\n",
  });
  const config = await loadConfig(join(folder.dir, "runs/config.yml"), { registry: seedRegistry(), env: {}, uses: [] });

  expect(config.llms.a?.options).toEqual({ model_name: "base-model", temperature: 0.5, stop: ["z"], max_retries: 1 });
  expect(config.finetuning.trainer).toBeUndefined();
  expect(config.files).toEqual(
    ["runs/config.yml", "shared/base.yml", "shared/deeper.yml"].map((name) => join(folder.dir, name)),
  );
  expect(config.effective).not.toHaveProperty("base");
});

test("a fault in a base file is told with that file's line", async () => {
  const problems = await problemsOf({
    "config.yml": "base: base.yml\nllms: {a: {temperature: 5}}\n",
    "base.yml": "llms:\n  a:\n    _type: openai\n    model_nam: m\n",
  });

  expect(problems).toEqual([
    "config.yml:2:8: llms.a.model_name: is missing and must be given: a text",
    "config.yml:2:25: llms.a.temperature: must be at most 2",
    'base.yml:4:5: llms.a.model_nam: unknown key. Did you mean "model_name"?',
  ]);
});

test("base files that name each other are told as the chain", async () => {
  const problems = await problemsOf({
    "config.yml": "base: b.yml\n",
    "b.yml": "\nbase: c.yml\n",
    "c.yml": "base: b.yml\n",
  });

  expect(problems).toEqual(["c.yml:1:7: base: base files name each other: b.yml -> c.yml -> b.yml"]);
});

test("a base that is not there, or no name, is told with the line that names it", async () => {
  expect(await problemsOf("llms: {}\nbase: gone.yml\n")).toEqual(["config.yml:2:7: base: there is no file gone.yml"]);
  expect(await problemsOf("base: [a.yml]\n")).toEqual(["config.yml:1:1: base: base must be the name of one file"]);
});

test("a base may be named by a variable", async () => {
  const files = {
    "config.yml": "base: ${WHICH}.yml\n",
    "one.yml": "split: {validation: 0.5}\n",
  };

  expect((await load(files, { env: { WHICH: "one" } })).split.validation).toBe(0.5);
  expect(await problemsOf(files)).toEqual([
    "config.yml:1:7: base: the variable WHICH is not set (set WHICH, or give a default: ${WHICH:-value})",
  ]);
});
