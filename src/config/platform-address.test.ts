import { expect, test } from "vitest";
import { load, problemsOf } from "./__fixtures__/loading.ts";
import type { OpenPlatform } from "./platform-address.ts";

const ADDRESS = {
  entity_host: "http://127.0.0.1:5",
  datastore_host: "http://127.0.0.1:5",
  nim_url: "http://127.0.0.1:5/nim/v1",
};

const variable = (name: string) => `\${${name}}`;

const FILE = `
platform: {_type: embedded, serves: [mine], models: {"meta/x@v1+A100": ./model}}
llms:
  mine: {_type: openai, base_url: "https://elsewhere.example/v1", model_name: m}
  other: {_type: openai, base_url: "https://elsewhere.example/v1", model_name: m}
  named: {_type: openai, base_url: "\${CUSTOMIZER_NIM_URL}", model_name: m}
trainer_adapters:
  adapter:
    _type: nemo_customizer_trainer_adapter
    entity_host: \${CUSTOMIZER_HOST:-https://default.example}
    datastore_host: https://store.example
    namespace: n
    customization_config: meta/x@v1+A100
`;

test("the platform is opened before variables are expanded, and takes the place of addresses that are written out", async () => {
  const asked: unknown[] = [];
  const openPlatform: OpenPlatform = async ({ models }) => {
    asked.push(models);
    return ADDRESS;
  };
  const config = await load(FILE, { openPlatform });

  expect(asked).toEqual([{ "meta/x@v1+A100": expect.stringMatching(/^\/.*\/model$/) }]);
  const baseUrl = (name: string) => (config.llms[name]!.options as { base_url: string }).base_url;
  expect([baseUrl("mine"), baseUrl("other"), baseUrl("named")]).toEqual([
    ADDRESS.nim_url,
    "https://elsewhere.example/v1",
    ADDRESS.nim_url,
  ]);
  expect(config.trainer_adapters.adapter?.options).toMatchObject({
    entity_host: ADDRESS.entity_host,
    datastore_host: ADDRESS.datastore_host,
  });
  expect(config.replaced).toEqual([
    { path: "trainer_adapters.adapter.datastore_host", from: "https://store.example", to: ADDRESS.datastore_host },
    { path: "llms.mine.base_url", from: "https://elsewhere.example/v1", to: ADDRESS.nim_url },
  ]);
});

test("what a guarded platform asks for is sent to it alone, and where the file gives no key of its own", async () => {
  const token = "token-0123456789";
  const text = `${FILE}    hf_token: ""\n`;
  const config = await load(text, { openPlatform: async () => ({ ...ADDRESS, token }) });
  const keyOf = (name: string) => config.llms[name]?.options.api_key;

  expect(config.trainer_adapters.adapter?.options).toMatchObject({ api_key: token, hf_token: token });
  expect([keyOf("mine"), keyOf("other"), keyOf("named")]).toEqual([token, undefined, token]);
  expect(config.platform_token).toBe(token);
  expect(JSON.stringify(config.effective)).not.toContain(token);
  expect(config.secrets).toContain(token);

  const given = await load(`${FILE}    hf_token: mine-0123456789\n`, {
    openPlatform: async () => ({ ...ADDRESS, token }),
  });
  expect(given.trainer_adapters.adapter?.options).toMatchObject({ api_key: token, hf_token: "mine-0123456789" });
});

test("a platform on the same machine is asked five times a second, unless told otherwise", async () => {
  const openPlatform: OpenPlatform = async () => ADDRESS;
  const polled = async (text: string) =>
    (await load(text, { openPlatform })).trainer_adapters.adapter?.options.poll_interval_seconds;
  expect(await polled(FILE)).toBe(0.2);
  expect(await polled(`${FILE}    poll_interval_seconds: 5\n`)).toBe(5);
});

test("calls to the platform's models are merged, unless told otherwise, and calls to others are not", async () => {
  const openPlatform: OpenPlatform = async () => ADDRESS;
  const merged = async (text: string) => {
    const { llms } = await load(text, { openPlatform });
    return Object.entries(llms).map(([name, { options }]) => [name, options.merge_calls]);
  };
  const file = FILE.replace('NIM_URL}", model_name: m', 'NIM_URL}", model_name: m, merge_calls: false');
  expect(await merged(FILE)).toEqual([
    ["mine", true],
    ["other", undefined],
    ["named", true],
  ]);
  expect(await merged(file)).toEqual([
    ["mine", true],
    ["other", undefined],
    ["named", false],
  ]);
});

test("a saved configuration has the variables, so that a platform on another port is no change", async () => {
  const first = await load(FILE, { openPlatform: async () => ADDRESS });
  const second = await load(FILE, { openPlatform: async () => ({ ...ADDRESS, nim_url: "http://127.0.0.1:6/nim/v1" }) });

  expect(second.effective).toEqual(first.effective);
  expect(first.effective).toMatchObject({
    llms: { mine: { base_url: variable("CUSTOMIZER_NIM_URL") } },
    trainer_adapters: {
      adapter: { entity_host: variable("CUSTOMIZER_HOST"), datastore_host: variable("DATASTORE_HOST") },
    },
  });
});

test("a command that calls nobody needs no platform and none of its variables", async () => {
  const { replaced, llms } = await load(FILE);

  expect((llms.named!.options as { base_url: string }).base_url).toBe("http://127.0.0.1:8711/nim/v1");
  expect(replaced).toHaveLength(2);
});

test("a platform section with a fault opens nothing, and the fault is told", async () => {
  const openPlatform = () => Promise.reject(new Error("opened"));
  const problems = await problemsOf("platform: {_type: embedded, serve: [x]}\n", { openPlatform });

  expect(problems.join("\n")).toContain('Did you mean "serves"');
});

test("without a platform section nothing is replaced", async () => {
  const file = FILE.replace(/^platform:.*$/m, "");
  const env = { CUSTOMIZER_HOST: "https://a.example", CUSTOMIZER_NIM_URL: "https://b.example" };
  const { replaced, trainer_adapters } = await load(file, {
    env,
    openPlatform: () => Promise.reject(new Error("opened")),
  });

  expect(replaced).toEqual([]);
  expect(trainer_adapters.adapter?.options).toMatchObject({ entity_host: "https://a.example" });
});
