import { expect, test } from "vitest";
import { load, problemsOf } from "./__fixtures__/loading.ts";

const STRATEGIES = `ttc_strategies:
  proposals: {_type: multi_candidate_move_search, choose_move_fn: mover}
  move_scorer: {_type: board_position_scorer}
  best: {_type: best_of_n_selection}
`;
const MOVER = "functions:\n  mover: {_type: choose_move}\n";

test("a reference to a component of the wrong kind says what it is", async () => {
  expect(
    await problemsOf(
      `${STRATEGIES}${MOVER}  picker: {_type: ttc_move_selector, search: move_scorer, scorer: move_scorer, selector: bst}\n`,
    ),
  ).toEqual([
    'config.yml:7:46: functions.picker.search: "move_scorer" is a scorer, not a search. (there: proposals)',
    'config.yml:7:90: functions.picker.selector: there is no selector "bst" under ttc_strategies. Did you mean "best"? (there: best)',
  ]);
});

test("references are followed inside lists, and a union of references takes either kind", async () => {
  const text = (fields: string) =>
    `llms: {model: {_type: openai, model_name: m}}\n${MOVER}ttc_strategies: {s: {_type: multi_candidate_move_search, ${fields}}}\n`;

  expect((await load(text("choose_move_fn: model"))).ttc_strategies.s?.options.choose_move_fn).toBe("model");
  expect((await load(text("choose_move_fn: mover, fallbacks: [mover]"))).ttc_strategies.s?.options.fallbacks).toEqual([
    "mover",
  ]);
  expect(await problemsOf(text("choose_move_fn: movr, fallbacks: [mover, model]"))).toEqual([
    'config.yml:4:74: ttc_strategies.s.choose_move_fn: there is no function or an LLM "movr" under functions or llms. Did you mean "mover"? (there: model, mover)',
    'config.yml:4:99: ttc_strategies.s.fallbacks[1]: there is no function "model" under functions. (that name is under llms)',
  ]);
});

test("finetuning, its evaluator and the platform's models are references too", async () => {
  const problems = await problemsOf(`trainers: {nemo: {_type: nemo_customizer_trainer}}
eval: {evaluators: {outcome: {_type: dpo_game_outcome}}}
finetuning: {trainer: nemo_trainer, reward_function: {name: outcom}}
platform: {_type: embedded, serves: [policy]}
`);

  expect(problems).toEqual([
    'config.yml:3:23: finetuning.trainer: there is no trainer "nemo_trainer" under trainers. (there: nemo)',
    'config.yml:3:61: finetuning.reward_function.name: there is no evaluator "outcom" under eval.evaluators. Did you mean "outcome"? (there: outcome)',
    'config.yml:4:38: platform.serves[0]: there is no LLM "policy" under llms.',
  ]);
});

test("a component of an unknown type is faulted once, not at every line that names it", async () => {
  expect(await problemsOf("llms: {m: {_type: nope}}\nfunctions: {f: {_type: choose_move, llm: m}}\n")).toHaveLength(1);
});

test("components that name each other in a circle are told as the chain", async () => {
  const problems = await problemsOf(`functions:
  picker: {_type: ttc_move_selector, search: proposals, scorer: judge, selector: best}
ttc_strategies:
  judge: {_type: board_position_scorer}
  best: {_type: best_of_n_selection}
  proposals:
    _type: multi_candidate_move_search
    choose_move_fn: picker
`);

  expect(problems).toEqual([
    "config.yml:8:21: ttc_strategies.proposals.choose_move_fn: these name each other in a circle: functions.picker -> ttc_strategies.proposals -> functions.picker",
  ]);
});
