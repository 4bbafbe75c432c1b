// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts under test hold variables
import { expect, test } from "vitest";
import { load, problemsOf } from "./__fixtures__/loading.ts";

const MODEL = "_type: openai, model_name: m";

test("every YAML fault is told with its place, and none of the file's text", async () => {
  const problems = await problemsOf("llms:\n  a: 'sk-marked\n  b: [1, 2\n");

  expect(problems.length).toBeGreaterThan(0);
  expect(problems.join("\n")).toMatch(/^config\.yml:\d+:\d+: /);
  expect(problems.join("\n")).not.toContain("sk-marked");
});

test("a tab, an escape and a tag that YAML does not know", async () => {
  expect(await problemsOf("llms:\n\ta: 1\n")).toContain("config.yml:2:1: tabs cannot indent: use spaces");
  expect(await problemsOf('workflow: "\\q"\n')).toEqual([
    "config.yml:1:12: a backslash in double quotes begins an escape that YAML does not know",
  ]);
  expect(await problemsOf("workflow: !python/object x\n")).toEqual([
    "config.yml:1:11: this tag is not known, or its value does not fit it",
  ]);
});

test("a key that stands twice is told with both lines", async () => {
  expect(await problemsOf("llms: {}\nsplit: {}\nllms: {}\n")).toEqual([
    "config.yml:3:1: llms: this key stands here twice; first in line 1",
  ]);
});

test("two documents, a list at the top and bytes that are no text are refused", async () => {
  expect(await problemsOf("llms: {}\n---\nllms: {}\n")).toEqual([
    "config.yml:2:1: a configuration is one YAML document: remove the line ---",
  ]);
  expect(await problemsOf("- a\n")).toEqual(["config.yml:1:1: the file must hold keys and values"]);
  expect(await problemsOf({ "config.yml": Buffer.from([0x61, 0x3a, 0x20, 0xff]) as unknown as string })).toEqual([
    "config.yml: config.yml is not UTF-8 text",
  ]);
});

test("a variable in brackets without quotes gets the advice to quote it", async () => {
  expect((await problemsOf("platform: {serves: [${MODEL_NAME}], _type: embedded}\n"))[0]).toContain(
    "(put a value that holds a variable in quotes)",
  );
});

test("aliases and merge keys work, each use a value of its own", async () => {
  const config = await load(`llms:
  a: &a {${MODEL}, temperature: 1}
  b: {<<: *a, temperature: 0.5}
  c: *a
`);

  expect(config.llms.b?.options).toMatchObject({ model_name: "m", temperature: 0.5 });
  expect(config.llms.c?.options).toEqual(config.llms.a?.options);
});

test("an alias bomb is stopped, and said once", async () => {
  const levels = Array.from({ length: 12 }, (_, i) => `k${i + 1}: &k${i + 1} [${Array(9).fill(`*k${i}`).join(", ")}]`);
  const started = performance.now();
  const problems = await problemsOf(`k0: &k0 [x]\n${levels.join("\n")}\n`);

  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain("aliases here unfold to more than 20000 values");
  expect(performance.now() - started).toBeLessThan(10_000);
});

test("an alias inside its own value, and one without an anchor", async () => {
  expect(await problemsOf("workflow: &w {a: *w}\n")).toEqual([
    "config.yml:1:18: workflow.a: this alias stands inside the value that it names",
  ]);
  expect((await problemsOf("workflow: *nowhere\n"))[0]).toContain("this alias has no anchor before it");
});

test("nesting without end is a fault, not a crash", async () => {
  const problems = await problemsOf(`workflow: ${"[".repeat(50_000)}${"]".repeat(50_000)}\n`);

  expect(problems[0]).toContain("nested too deeply");
});

test("a long text in a block, indented as blocks are, is not mistaken for depth", async () => {
  const text = Array.from({ length: 40 }, () => `    ${"word ".repeat(12)}`).join("\n");
  const config = await load(
    `workflow:\n  _type: my_dpo_workflow\n  llm: a\n  note: |\n${text}\nllms:\n  a: {_type: openai, model_name: m}\n`,
  ).catch((error: Error) => error.message);
  expect(String(config)).not.toContain("nested too deeply");
});
