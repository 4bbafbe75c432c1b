import { afterEach, expect, test } from "vitest";
import { type Rules, startStub } from "./__fixtures__/stub-services.ts";
import { nemoCustomizerBackend } from "./nemo-customizer-backend.ts";
import { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";

const undo: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

const { signal } = new AbortController();

/** What one check finds at a platform with the config `local/tiny@v1.0.0+CPU`. */
async function found(check: string, { target, hyperparameters = {}, rules = {} }: Given) {
  const config = { namespace: "local", name: "tiny@v1.0.0+CPU", target };
  const stub = await startStub({
    "GET /v1/customization/configs": { status: 200, body: { data: [config] } },
    ...rules,
  });
  const backend = nemoCustomizerBackend(
    NemoCustomizerTrainerAdapterOptions.parse({
      ...{ entity_host: stub.origin, datastore_host: stub.origin, namespace: "ns" },
      ...{ customization_config: "local/tiny", hyperparameters },
    }),
    { env: {}, clock: { now: () => 0, sleep: async () => undefined } },
  );
  undo.push(stub.stop, async () => backend.close());
  return await backend.checks?.find(({ name }) => name === check)?.look(signal);
}

interface Given {
  target?: unknown;
  hyperparameters?: Record<string, unknown>;
  rules?: Rules;
}

const OFF = { namespace: "local", name: "tiny@v1.0.0", enabled: false };

test("a target that is switched off fails the check, whether the config holds it or names it", async () => {
  const failed = { status: "failed", detail: expect.stringContaining("its target tiny@v1.0.0 is switched off") };
  expect(await found("customization_config", { target: OFF })).toMatchObject(failed);
  const rules: Rules = { "GET /v1/customization/targets/*/*": { status: 200, body: OFF } };
  expect(await found("customization_config", { target: "local/tiny@v1.0.0", rules })).toMatchObject(failed);

  expect(await found("customization_config", { target: { ...OFF, enabled: true } })).toMatchObject({ status: "ok" });
  // Nobody there knows the target: that is the platform's business.
  expect(await found("customization_config", { target: "local/tiny@v1.0.0" })).toMatchObject({ status: "ok" });
});

test("settings that only the embedded platform takes fail the check at any other", async () => {
  const hyperparameters = { pairwright: { loss_type: "ipo" } };
  const check = "hyperparameters.pairwright";
  expect(await found(check, { hyperparameters })).toMatchObject({
    status: "failed",
    detail: expect.stringContaining("is no embedded platform"),
  });
  const rules: Rules = { "GET /": { status: 200, body: { name: "pairwright's embedded platform" } } };
  expect(await found(check, { hyperparameters, rules })).toMatchObject({ status: "ok" });
  expect(await found(check, {})).toBeUndefined();
});
