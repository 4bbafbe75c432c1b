import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { errorOf, load, problemsOf } from "./__fixtures__/loading.ts";

/** Everything that a file may hold, in our own words and numbers. */
const WHOLE = `
llms:
  policy: {_type: openai, model_name: small-model, base_url: "http://localhost:1/v1"}
functions:
  mover: {_type: choose_move, llm: policy}
  picker: {_type: ttc_move_selector, search: proposals, scorer: judge, selector: best}
ttc_strategies:
  proposals: {_type: multi_candidate_move_search, choose_move_fn: mover}
  judge: {_type: board_position_scorer}
  best: {_type: best_of_n_selection}
workflow:
  _type: dpo_tic_tac_toe
  trained_ttc_move_selector_fn: picker
  opponent_ttc_move_selector_fn: picker
eval:
  general:
    max_concurrency: 4
    dataset: {_type: json, file_path: data.json}
  evaluators:
    outcome: {_type: dpo_game_outcome}
trajectory_builders:
  pairs: {_type: dpo_traj_builder, min_score_diff: 0.5}
trainers:
  runs: {_type: nemo_customizer_trainer, num_runs: 2}
trainer_adapters:
  backend:
    _type: nemo_customizer_trainer_adapter
    entity_host: http://localhost:2
    datastore_host: http://localhost:3
    namespace: games
    customization_config: some/config@v1
finetuning:
  enabled: true
  trainer: runs
  trajectory_builder: pairs
  trainer_adapter: backend
  reward_function: {name: outcome}
split: {validation: 0.25, by: prompt}
platform: {_type: embedded, serves: [policy]}
`;

const MODEL = "_type: openai, model_name: m";

test("a whole file becomes components with their options, defaults in", async () => {
  const config = await load(WHOLE);

  expect(Object.keys(config.functions)).toEqual(["mover", "picker"]);
  expect(config.llms.policy).toMatchObject({ section: "llms", kind: "llm", type: "openai" });
  expect(config.llms.policy?.options).toEqual({
    model_name: "small-model",
    // It is one of those that the platform serves.
    base_url: "http://127.0.0.1:8711/nim/v1",
    merge_calls: true,
    max_retries: 10,
  });
  expect(config.ttc_strategies.judge?.kind).toBe("scorer");
  expect(config.workflow?.component.source).toBe("pairwright");
  expect(config.eval.general).toMatchObject({ max_concurrency: 4, output_dir: "./.tmp/pairwright/config" });
  expect(config.eval.general.dataset?.options).toEqual({ file_path: "data.json", id_key: "id" });
  expect(config.eval.evaluators.outcome?.section).toBe("eval.evaluators");
  expect(config.finetuning).toMatchObject({
    held_out: 0.2,
    output_dir: "./.tmp/pairwright/finetuning/config",
    num_epochs: 1,
  });
  expect(config.finetuning.curriculum_learning.expansion_interval).toBe(5);
  expect(config.split).toEqual({ validation: 0.25, by: "prompt" });
  expect(config.platform).toEqual({ _type: "embedded", serves: ["policy"], models: {} });
  expect(config.original_text).toBe(WHOLE);
});

test("the effective tree has every default and can be read again to the same effect", async () => {
  const config = await load(WHOLE);
  const again = await load(stringify(config.effective));

  expect(config.effective).toMatchObject({
    trainer_adapters: { backend: { hyperparameters: { epochs: 3, dpo: { sft_loss_weight: 0 } } } },
    trajectory_builders: { pairs: { _type: "dpo_traj_builder", max_pairs_per_turn: null } },
    split: { validation: 0.25, by: "prompt" },
  });
  expect(again.effective).toEqual(config.effective);
  expect(again.trainer_adapters.backend?.options).toEqual(config.trainer_adapters.backend?.options);
});

test("an empty file is a configuration with nothing in it", async () => {
  const config = await load("# nothing yet\n");

  expect(config.llms).toEqual({});
  expect(config.workflow).toBeUndefined();
  expect(config.split).toEqual({ validation: 0.2, by: "auto" });
});

test("all faults of a file come at once, in order, each with line, column, path and what was meant", async () => {
  const problems = await problemsOf(`llms:
  policy:
    _type: opnai
    model_name: m
  other:
    _type: openai
    model_nam: m
    temperature: 3
    max_retries: many
functions:
  mover: {_type: choose_move, llm: polcy}
evl: {}
split: {validation: 0.95, by: sometimes}
`);

  expect(problems).toEqual([
    'config.yml:3:12: llms.policy._type: there is no type "opnai". Did you mean "openai"? (known here: openai)',
    "config.yml:5:3: llms.other.model_name: is missing and must be given: a text",
    'config.yml:7:5: llms.other.model_nam: unknown key. Did you mean "model_name"?',
    "config.yml:8:18: llms.other.temperature: must be at most 2",
    "config.yml:9:18: llms.other.max_retries: expected a number, got a text",
    'config.yml:11:36: functions.mover.llm: there is no LLM "polcy" under llms. Did you mean "policy"? (there: policy, other)'.replace(
      "  (",
      " (",
    ),
    'config.yml:12:1: evl: unknown section. Did you mean "eval"?',
    "config.yml:13:21: split.validation: must be at most 0.9",
    'config.yml:13:31: split.by: expected "auto", "example", "prompt" or "group".',
  ]);
});

test("the error is a usage error that carries the problems as values", async () => {
  const error = await errorOf("llms: {a: {_type: openai}}\n");

  expect(error).toMatchObject({ code: "config", exit_code: 2, where: "config.yml" });
  expect(error.problems).toEqual([
    {
      code: "missing_value",
      file: "config.yml",
      line: 1,
      column: 8,
      path: "llms.a.model_name",
      message: "is missing and must be given: a text",
    },
  ]);
  expect(error.message).toBe(
    "config.yml: 1 problem\n  config.yml:1:8: llms.a.model_name: is missing and must be given: a text",
  );
});

test("unknown keys are found at every depth, and the keys that are known are listed when none is near", async () => {
  const problems = await problemsOf(
    WHOLE.replace("namespace: games", "namespace: games\n    hyperparameters: {epoch: 1, dpo: {zebra: 1}}"),
  );

  expect(problems).toEqual([
    'config.yml:31:23: trainer_adapters.backend.hyperparameters.epoch: unknown key. Did you mean "epochs"?',
    "config.yml:31:39: trainer_adapters.backend.hyperparameters.dpo.zebra: unknown key. (known here: ref_policy_kl_penalty, preference_loss_weight, preference_average_log_probs, sft_loss_weight)",
  ]);
});

test("a plugin's schema that would drop unknown keys is closed all the same", async () => {
  const { seedRegistry } = await import("./__fixtures__/registry.ts");
  const { z } = await import("zod");
  const registry = seedRegistry();
  registry.evaluator("open", {
    options: z.object({ depth: z.int().default(1) }),
    build: () => ({ evaluate: () => ({ score: 1 }) }),
  });

  expect(await problemsOf("eval: {evaluators: {e: {_type: open, dept: 2}}}\n", { registry })).toEqual([
    'config.yml:1:38: eval.evaluators.e.dept: unknown key. Did you mean "depth"?',
  ]);
});

test("a value that fits no branch of a union is told what the branches take, or what the nearest one misses", async () => {
  expect(await problemsOf(`llms: {a: {${MODEL}, stop: 5}}`)).toEqual([
    "config.yml:1:48: llms.a.stop: expected a text or a list, got a number",
  ]);
  expect(await problemsOf(`llms: {a: {${MODEL}, stop: [x, 5]}}`)).toEqual([
    "config.yml:1:52: llms.a.stop[1]: expected a text, got a number",
  ]);
  expect(await problemsOf("platform: {_type: embedded, serve: []}")).toEqual([
    'config.yml:1:29: platform.serve: unknown key. Did you mean "serves"?',
  ]);
});

test("a component without a type, and one that is no map, are told so", async () => {
  const problems = await problemsOf("llms:\n  a: {type: openai}\n  b: openai\n  c:\n");

  expect(problems).toEqual([
    'config.yml:2:3: llms.a: has no _type. Is one of its keys meant to be "_type"? (known here: openai)',
    "config.yml:3:3: llms.b: expected a map with _type",
    "config.yml:4:3: llms.c: expected a map with _type",
  ]);
});

test("a type of another section is told where it belongs", async () => {
  expect(await problemsOf("functions: {f: {_type: best_of_n_selection}}")).toEqual([
    'config.yml:1:24: functions.f._type: there is no type "best_of_n_selection". (it is a selector, which does not belong under functions; known here: choose_move, dpo_tic_tac_toe, my_dpo_workflow, ttc_move_selector)',
  ]);
});

test("a section that is no map, and a section left empty", async () => {
  expect(await problemsOf("llms: [a]\neval: {general: 3}\nfunctions:\n")).toEqual([
    "config.yml:1:1: llms: expected a map, got a list",
    "config.yml:2:17: eval.general: expected a map, got a single value",
  ]);
});

test("sections and settings of the toolkit that pairwright lacks are refused with what to do instead", async () => {
  const problems = await problemsOf(`embedders: {}
eval:
  evaluator: {}
  general:
    output: {cleanup: true, dir: out}
    profiler: {base_metrics: true}
    max_concurency: 2
`);

  expect(problems).toEqual([
    'config.yml:1:1: embedders: pairwright has no section "embedders" (a plugin\'s components may embed what they need)',
    'config.yml:3:3: eval.evaluator: unknown key. Did you mean "evaluators"? (known here: general, evaluators)',
    "config.yml:5:14: eval.general.output.cleanup: pairwright does not have this (pairwright never deletes: every run has a folder of its own)",
    "config.yml:6:5: eval.general.profiler: pairwright does not have this (tokens, cost and time are in the summary and in manifest.json)",
    'config.yml:7:5: eval.general.max_concurency: unknown key. Did you mean "max_concurrency"?',
  ]);
});

test("output.dir is the same as output_dir, and a cleanup that is off is what pairwright does", async () => {
  const config = await load("eval: {general: {output: {dir: out, cleanup: false}}}");

  expect(config.eval.general.output_dir).toBe("out");
  expect(config.effective).toMatchObject({ eval: { general: { output_dir: "out", max_concurrency: 8 } } });
});

test("a split by group needs the field that names the group, and only that one does", async () => {
  expect(await problemsOf("split: {by: group}")).toEqual([
    "config.yml:1:1: split.group_key: by: group needs the field that names the group",
  ]);
  expect(await problemsOf("split: {by: prompt, group_key: team}")).toEqual([
    "config.yml:1:32: split.group_key: this has a meaning only with by: group",
  ]);
  expect((await load("split: {by: group, group_key: team}")).split.group_key).toBe("team");
});

test("platform: embedded is short for its map", async () => {
  const config = await load("platform: embedded");

  expect(config.platform).toEqual({ _type: "embedded", serves: [], models: {} });
  expect(config.effective.platform).toEqual({ _type: "embedded", serves: [], models: {} });
});

test("component names may be anything YAML allows", async () => {
  const config = await load(`llms: {"llama-3.1": {${MODEL}}, __proto__: {${MODEL}}, 7: {${MODEL}}}`);

  expect(Object.keys(config.llms).sort()).toEqual(["7", "__proto__", "llama-3.1"]);
  expect(parse(stringify(config.effective))).toHaveProperty(["llms", "llama-3.1", "max_retries"], 10);
});

test("a file that is not there is one clear problem", async () => {
  const error = await errorOf({ "other.yml": "" });

  expect(error.message).toBe("config.yml: 1 problem\n  config.yml: there is no file config.yml");
  expect(error.problems[0]).toMatchObject({ line: null, column: null, code: "config_unreadable" });
});

test("an evaluator whose name cannot be a file's, or is taken by another file, is refused at its place", async () => {
  const names = ["../up", "a/b", "a\\\\b", "nul\\0", "..", "workflow", "Workflow", "x".repeat(101)];
  const written = names.map((name) => `    "${name}": {_type: dpo_game_outcome}`).join("\n");
  const error = await errorOf(`eval:\n  evaluators:\n    "my judge-2.1_b": {_type: dpo_game_outcome}\n${written}\n`);

  const refused = error.problems.filter(({ code }) => code === "invalid_name");
  expect(refused.map(({ line }) => line)).toEqual(names.map((_, index) => index + 4));
});
