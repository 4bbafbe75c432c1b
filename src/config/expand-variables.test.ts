// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts under test hold variables
import { expect, test } from "vitest";
import { load, problemsOf } from "./__fixtures__/loading.ts";

/** The options of one model, written as lines of a block. */
async function optionsOf(lines: string, env: Record<string, string | undefined> = {}) {
  const config = await load(`llms:\n  a:\n    _type: openai\n    ${lines.trim().replaceAll("\n", "\n    ")}\n`, {
    env,
  });
  return config.llms.a?.options;
}

test("variables are put in, several to a value, with defaults that may be empty or hold anything but }", async () => {
  expect(
    await optionsOf("model_name: ${ORG}/${NAME:-tiny}${SUFFIX:-}\nbase_url: ${URL:-http://h:1/v1}", { ORG: "org" }),
  ).toMatchObject({ model_name: "org/tiny", base_url: "http://h:1/v1" });
  expect(await optionsOf('model_name: "${ORG}/${NAME:-tiny: #1}${SUFFIX:-}"', { ORG: "org" })).toMatchObject({
    model_name: "org/tiny: #1",
  });
});

test("a bare $, $$ and ${} that name no variable stay as they are", async () => {
  expect(await optionsOf('model_name: "$5 $$HOME ${} ${1a}"')).toMatchObject({ model_name: "$5 $$HOME ${} ${1a}" });
});

test("a default is taken when the variable is unset or empty, and an empty variable without one is empty", async () => {
  expect(await optionsOf("model_name: ${M:-d}", { M: "" })).toMatchObject({ model_name: "d" });
  expect(await optionsOf("model_name: m\napi_key: ${K}", { K: "" })).toMatchObject({ api_key: "" });
});

test("an unquoted value takes the type that the schema wants; a quoted one is a text first", async () => {
  const env = { N: "3", T: "0.5", NAME: "123" };

  expect(await optionsOf("model_name: ${NAME}\nmax_retries: ${N}\ntemperature: ${T}", env)).toMatchObject({
    model_name: "123",
    max_retries: 3,
    temperature: 0.5,
  });
  expect(await optionsOf('model_name: "${NAME}"\nmax_retries: "${N}"', env)).toMatchObject({
    model_name: "123",
    max_retries: 3,
  });
  // Long numbers keep their digits where a text is wanted.
  expect(await optionsOf("model_name: ${L}", { L: "00123456789012345678901" })).toMatchObject({
    model_name: "00123456789012345678901",
  });
});

test("what a variable holds brings no YAML with it and is not expanded again", async () => {
  const env = { M: "a: {b: 1} # ${OTHER}\n- x", OTHER: "other" };

  expect(await optionsOf("model_name: ${M}", env)).toMatchObject({ model_name: env.M });
});

test("an unset variable is told by name and line, in the sections that the command uses", async () => {
  const text = `llms:
  a: {_type: openai, model_name: m, api_key: "\${SOME_KEY}"}
trainer_adapters:
  t:
    _type: nemo_customizer_trainer_adapter
    entity_host: \${ENTITY}
    datastore_host: \${STORE}
    customization_config: c
    hyperparameters: {epochs: "\${EPOCHS}"}
    namspace: n
`;
  expect(await problemsOf(text)).toEqual([
    "config.yml:2:46: llms.a.api_key: the variable SOME_KEY is not set (set SOME_KEY, or give a default: ${SOME_KEY:-value})",
    "config.yml:4:3: trainer_adapters.t.namespace: is missing and must be given: a text",
    "config.yml:6:18: trainer_adapters.t.entity_host: the variable ENTITY is not set (set ENTITY, or give a default: ${ENTITY:-value})",
    "config.yml:7:21: trainer_adapters.t.datastore_host: the variable STORE is not set (set STORE, or give a default: ${STORE:-value})",
    "config.yml:9:31: trainer_adapters.t.hyperparameters.epochs: the variable EPOCHS is not set (set EPOCHS, or give a default: ${EPOCHS:-value})",
    'config.yml:10:5: trainer_adapters.t.namspace: unknown key. Did you mean "namespace"?',
  ]);
  // What is no matter of a value is a fault in an unused section too.
  expect(await problemsOf(text, { uses: ["eval"] })).toEqual([
    "config.yml:4:3: trainer_adapters.t.namespace: is missing and must be given: a text",
    'config.yml:10:5: trainer_adapters.t.namspace: unknown key. Did you mean "namespace"?',
  ]);
  const config = await load(text.replace("namspace", "namespace"), { uses: ["eval"] });
  expect(config.trainer_adapters.t?.options).toMatchObject({
    entity_host: "${ENTITY}",
    dataset_name: "nat-dpo",
    hyperparameters: { epochs: "${EPOCHS}", batch_size: 4 },
  });
});

test("types and references that are unset variables of an unused section are left alone", async () => {
  const config = await load("llms: {a: {_type: '${T}'}}\nfunctions: {f: {_type: choose_move, llm: '${L}'}}\n", {
    uses: [],
  });

  expect(config.llms).toEqual({});
  expect(config.functions.f?.options).toMatchObject({ llm: "${L}" });
});

test("a variable that is cut off by a comment sign is told to be quoted", async () => {
  expect(await problemsOf("llms: \n  a:\n    _type: openai\n    model_name: ${M:-a #b}\n")).toEqual([
    "config.yml:4:17: llms.a.model_name: a variable here has no closing } (put the value in quotes)",
  ]);
});

test("an unquoted variable may hold null, a boolean or a number, as YAML writes them", async () => {
  for (const [written, value] of [
    ["null", null],
    ["~", null],
    ["0x10", 16],
  ] as const) {
    const text = "trajectory_builders:\n  t:\n    _type: dpo_traj_builder\n    max_pairs_per_turn: ${M}\n";
    const config = await load(text, { env: { M: written } });
    expect(config.trajectory_builders.t?.options.max_pairs_per_turn).toBe(value);
  }
  const config = await load("finetuning:\n  enabled: ${ON}\n", { env: { ON: "true" } });
  expect(config.finetuning.enabled).toBe(true);
});
