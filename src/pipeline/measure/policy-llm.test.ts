import { expect, test } from "vitest";
import type { Config } from "../../config/config.ts";
import { policyLlm, withModel } from "./policy-llm.ts";

/** As much of a configuration as is looked at. */
function config(llms: Record<string, Record<string, unknown>>, more: object = {}): Config {
  const parts = Object.entries(llms).map(([name, options]) => [name, { name, options }]);
  const effective = { llms: structuredClone(llms) };
  return {
    file: "config.yml",
    llms: Object.fromEntries(parts),
    finetuning: {},
    effective,
    ...more,
  } as unknown as Config;
}

const TWO = { policy: { model_name: "a/b", base_url: "http://one" }, judge: { model_name: "c/d" } };

test("the policy is the llm that is named, by key or model, else the served one, else the only one", () => {
  expect(policyLlm(config(TWO, { finetuning: { target_model: "judge" } })).name).toBe("judge");
  expect(policyLlm(config(TWO, { finetuning: { target_model: "a/b" } })).name).toBe("policy");
  expect(policyLlm(config(TWO, { platform: { serves: ["policy"] } })).name).toBe("policy");
  expect(policyLlm(config({ only: {} })).name).toBe("only");
});

test("where it is not clear, the error names what there is", () => {
  expect(() => policyLlm(config(TWO))).toThrow(expect.objectContaining({ code: "which_model", exit_code: 2 }));
  expect(() => policyLlm(config(TWO, { finetuning: { target_model: "x" } }))).toThrow(
    '"x" names no llm of: policy, judge',
  );
  expect(() => policyLlm(config({}))).toThrow("(there is none)");
});

test("another model takes the place of an llm's, and nothing else changes", () => {
  const before = config(TWO);
  const after = withModel(before, "policy", { model_name: "a/b@cust-1", base_url: "http://nim" });

  expect(after.llms.policy?.options).toEqual({ model_name: "a/b@cust-1", base_url: "http://nim" });
  expect(after.llms.judge).toBe(before.llms.judge);
  expect(after.effective).toMatchObject({ llms: { policy: { model_name: "a/b@cust-1" } } });
  expect(before.llms.policy?.options).toEqual(TWO.policy);
  expect(before.effective).toEqual({ llms: TWO });
  expect(withModel(before, "policy", { model_name: "x" }).llms.policy?.options.base_url).toBe("http://one");
});

test("where the model moves to a guarded platform, that one gets its token and not the key of the server before", () => {
  const llms = { policy: { model_name: "a", base_url: "http://one", api_key: "of-one" } };
  const moved = withModel(config(llms, { platform_token: "t" }), "policy", { model_name: "b", base_url: "http://nim" });
  expect(moved.llms.policy?.options.api_key).toBe("t");

  const stays = withModel(config(llms, { platform_token: "t" }), "policy", { model_name: "b", base_url: "http://one" });
  expect(stays.llms.policy?.options.api_key).toBe("of-one");
});
