// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts under test hold variables
import { expect, test } from "vitest";
import { load, problemsOf } from "./__fixtures__/loading.ts";
import { parsePath } from "./overrides.ts";

const BASE = "llms: {a: {_type: openai, model_name: m, stop: [x, y]}, llama-3.1: {_type: openai, model_name: n}}\n";

function withOverrides(...overrides: [string, string][]) {
  return { overrides };
}

test("an override takes the type that the schema wants", async () => {
  const config = await load(
    BASE,
    withOverrides(
      ["llms.a.temperature", "0.5"],
      ["llms.a.model_name", "123"],
      ["llms.a.max_retries", '"7"'],
      ["trajectory_builders.t", "{_type: dpo_traj_builder, max_pairs_per_turn: null}"],
      ["eval.general.max_concurrency", "64"],
      ["finetuning.enabled", "true"],
    ),
  );

  expect(config.llms.a?.options).toMatchObject({ temperature: 0.5, model_name: "123", max_retries: 7 });
  expect(config.trajectory_builders.t?.options.max_pairs_per_turn).toBeNull();
  expect(config.eval.general.max_concurrency).toBe(64);
  expect(config.finetuning.enabled).toBe(true);
  expect(config.effective).toMatchObject({ llms: { a: { model_name: "123", max_retries: 7 } } });
});

test("a list may be given in brackets, or with commas where only a list will do", async () => {
  const one = await load(BASE, withOverrides(["finetuning.target_functions", "a, 2,c"]));
  const two = await load(BASE, withOverrides(["finetuning.target_functions", "[a, b]"]));
  const single = await load(BASE, withOverrides(["finetuning.target_functions", "solo"]));
  const text = await load(BASE, withOverrides(["llms.a.stop", "a,b"]));

  expect(one.finetuning.target_functions).toEqual(["a", "2", "c"]);
  expect(two.finetuning.target_functions).toEqual(["a", "b"]);
  expect(single.finetuning.target_functions).toEqual(["solo"]);
  expect(text.llms.a?.options.stop).toBe("a,b");
});

test("a path reaches into lists and names with dots, and makes what is missing", async () => {
  const config = await load(
    BASE,
    withOverrides(
      ["llms.a.stop[1]", "z"],
      ["llms.a.stop.2", "end"],
      ['llms["llama-3.1"].max_retries', "1"],
      ["eval.evaluators.e._type", "dpo_game_outcome"],
    ),
  );

  expect(config.llms.a?.options.stop).toEqual(["x", "z", "end"]);
  expect(config.llms["llama-3.1"]?.options.max_retries).toBe(1);
  expect(config.eval.evaluators.e?.type).toBe("dpo_game_outcome");
});

test("an override's faults are told by its path", async () => {
  const problems = await problemsOf(
    BASE,
    withOverrides(
      ["llms.a.temperature", "hot"],
      ["llms.a.base_ur", "1"],
      ["llms.a.max_retries", "1.5"],
      ["llms.a.model_name.x", "1"],
      ["llms.a.stop[9]", "1"],
      ["evl.general", "1"],
      ["a..b", "1"],
      ["base", "x.yml"],
      ["split", "{validation: 2}"],
    ),
  );

  expect(problems).toEqual([
    "-o llms.a.model_name.x: llms.a.model_name is a single value: it has no x",
    "-o llms.a.stop[9]: llms.a.stop has 2 items: there is no place 9",
    "-o a..b: this is not a path (write it as section.name.key, with [0] for a place in a list)",
    "-o base: the base file cannot be changed by an override (name it in the file)",
    '-o evl.general: evl: unknown section. Did you mean "eval"?',
    "-o llms.a.temperature: expected a number, got a text",
    "-o llms.a.max_retries: expected a whole number, got a number",
    '-o llms.a.base_ur: unknown key. Did you mean "base_url"?',
    "-o split: split.validation: must be at most 0.9",
  ]);
});

test("variables in overrides are expanded, and an unset one is told", async () => {
  const options = withOverrides(["llms.a.max_retries", "${N}"]);

  expect((await load(BASE, { ...options, env: { N: "4" } })).llms.a?.options.max_retries).toBe(4);
  expect(await problemsOf(BASE, options)).toEqual([
    "-o llms.a.max_retries: the variable N is not set (set N, or give a default: ${N:-value})",
  ]);
});

test("paths are keys between dots, numbers in brackets and quoted names", () => {
  expect(parsePath('a.b-c[0]["x.y"].2')).toEqual(["a", "b-c", 0, "x.y", "2"]);
  for (const wrong of ["", ".", "a.", "a[", "a[b]", "a..b"]) expect(parsePath(wrong)).toBeUndefined();
});
