import { afterEach, expect, test } from "vitest";
import { PairwrightError } from "../lib/errors.ts";
import { type Rules, startStub } from "./__fixtures__/stub-services.ts";
import { nemoCustomizerBackend } from "./nemo-customizer-backend.ts";
import { NemoCustomizerTrainerAdapterOptions } from "./nemo-customizer-options.ts";

const undo: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

/** What one check finds, or fails with, at a platform with the config `local/tiny@v1.0.0+CPU`. */
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
  try {
    return await backend.checks?.find(({ name }) => name === check)?.look(new AbortController().signal);
  } catch (error) {
    if (!PairwrightError.is(error)) throw error;
    return { code: error.code, what: error.what, exit_code: error.exit_code };
  }
}

interface Given {
  target?: unknown;
  hyperparameters?: Record<string, unknown>;
  rules?: Rules;
}

const OFF = { namespace: "local", name: "tiny@v1.0.0", enabled: false };

test("a target that is switched off fails the check, whether the config holds it or names it", async () => {
  const what = expect.stringContaining("its target tiny@v1.0.0 is switched off");
  const failed = { code: "job_conflict", exit_code: 2, what };
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
    ...{ code: "job_refused", exit_code: 2, what: expect.stringContaining("is no embedded platform") },
  });
  const rules: Rules = { "GET /": { status: 200, body: { name: "pairwright's embedded platform" } } };
  expect(await found(check, { hyperparameters, rules })).toMatchObject({ status: "ok" });
  expect(await found(check, {})).toBeUndefined();
});

test("of several configs that a short name begins, the one whose target is switched on is meant", async () => {
  const both = (enabled: boolean): Rules => ({
    "GET /v1/customization/configs": {
      status: 200,
      body: { data: ["CPU", "A100"].map((machine) => configOn(machine, machine === "CPU" || enabled)) },
    },
  });
  expect(await found("customization_config", { rules: both(false) })).toEqual({
    ...{ status: "ok", detail: "local/tiny@v1.0.0+CPU is there" },
  });
  expect(await found("customization_config", { rules: both(true) })).toEqual({
    ...{ code: "job_refused", exit_code: 2 },
    what: '"local/tiny" could be any of local/tiny@v1.0.0+CPU, local/tiny@v1.0.0+A100',
  });
});

const configOn = (machine: string, enabled: boolean) => ({
  ...{ namespace: "local", name: `tiny@v1.0.0+${machine}`, target: { name: "t", enabled } },
});

test("a service that does not list its configs leaves it unknown whether it has one; what a list lacks is asked for by its name", async () => {
  for (const refusal of [403, 404, 405]) {
    const rules: Rules = { "GET /v1/customization/configs": { status: refusal } };
    expect(await found("customization_config", { rules })).toMatchObject({ status: "unknown" });
    expect(await found("hyperparameters", { rules })).toMatchObject({ status: "skipped" });
  }
  const none: Rules = { "GET /v1/customization/configs": { status: 200, body: { data: [] } } };
  const code = "customization_config_not_found";
  expect(await found("customization_config", { rules: none })).toMatchObject({ code, exit_code: 2 });
  const there: Rules = { ...none, "GET /v1/customization/configs/*/*": { status: 200, body: {} } };
  expect(await found("customization_config", { rules: there })).toMatchObject({ status: "ok" });
});
